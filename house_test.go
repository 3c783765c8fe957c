package varde_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// pkg is one package as the go command describes it.
type pkg struct {
	ImportPath   string
	Name         string
	Dir          string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// listed is every package of the module, asked for once.
var listed = sync.OnceValues(func() ([]pkg, error) {
	const fields = "-json=ImportPath,Name,Dir,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports"
	out, err := exec.Command("go", "list", fields, "./...").Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("read go list: %w", err)
		}
		all = append(all, p)
	}
})

func packages(t *testing.T) []pkg {
	t.Helper()
	all, err := listed()
	if err != nil || len(all) < 20 {
		t.Fatalf("got %d packages, %v, want the whole house", len(all), err)
	}
	return all
}

// An arrow is an import that the house forbids. A name ending in /... stands
// for a package and everything below it.
type arrow struct {
	from, to string
	// allowed lists the packages of from that may have it; their tests may too.
	allowed []string
	// tests says that tests must not have it either.
	tests bool
	why   string
}

// arrows is the list of every forbidden import with its reason.
func arrows() []arrow {
	arrows := []arrow{
		{
			from: "varde", to: "varde/...",
			why: "how a program speaks on a terminal does not depend on what it says",
		},
		{
			from: "varde/...", to: "varde", allowed: []string{"varde/probe", "varde/coordinator", "varde/deploy/local"},
			why: "only programs have a terminal; their rooms return errors and log to the logger that was passed in",
		},
		{
			from: "varde/proto/document", to: "varde/...", allowed: []string{"to varde/checks"}, tests: true,
			why: "both programs read their configuration with it, so it knows the keys of neither",
		},
		{
			from: "varde/proto/durable", to: "varde/...", tests: true,
			why: "how a file is replaced does not depend on what is in it",
		},
		{
			from: "varde/checks", to: "varde/...",
			why: "what is asked and answered is known to everyone, so it knows nobody",
		},
		{
			from: "varde/checks/...", to: "varde/...", allowed: []string{"to varde/checks/..."}, tests: true,
			why: "checks are usable without a fleet",
		},
		{
			from: "varde/probe/...", to: "varde/coordinator/...", tests: true,
			why: "the programs speak over the wire and know nothing else of one another",
		},
		{
			from: "varde/coordinator/...", to: "varde/probe/...", allowed: []string{"to varde/probe/uplinktest"}, tests: true,
			why: "the programs speak over the wire and know nothing else of one another",
		},
		{
			from: "varde/...", to: "varde/deploy/...", allowed: []string{"varde/deploy/..."}, tests: true,
			why: "ways to run the system stand on top of it",
		},
		{
			from: "varde/probe/internal/...", to: "varde/probe/agent",
			why: "arrows run from the wiring to the rooms",
		},
		{
			from: "varde/coordinator/internal/...", to: "varde/coordinator/server",
			why: "arrows run from the wiring to the rooms",
		},
		{
			from: "varde/...", to: "varde/proto/varde/v1",
			allowed: []string{"varde/proto/...", "varde/probe/internal/uplink", "varde/coordinator/internal/ingest", "varde/probe/uplinktest"},
			why:     "domain values become messages in proto/wire and nowhere else; the two ends of gRPC need the service itself",
		},
	}
	return append(append(append(arrows, libraries()...), pure()...), pages()...)
}

// libraries are the third parties that one room each may know.
func libraries() []arrow {
	const one = "a library that one room hides can be replaced by changing one room"
	list := []arrow{
		{to: "github.com/emersion/...", allowed: []string{"varde/checks/...", "varde/deploy/local/internal/provider", "varde/deploy/fleettest"}},
		{to: "github.com/miekg/dns", allowed: []string{"varde/checks/dns", "varde/checks/checktest"}},
		{to: "github.com/hashicorp/memberlist", allowed: []string{"varde/probe/internal/mesh"}},
		{
			to:      "google.golang.org/grpc/...",
			allowed: []string{"varde/proto/...", "varde/probe/internal/uplink", "varde/coordinator/internal/ingest", "varde/probe/uplinktest"},
		},
		{to: "google.golang.org/protobuf/...", allowed: []string{"varde/proto/...", "varde/probe/internal/uplink", "varde/coordinator/internal/ingest", "varde/probe/uplinktest"}},
		{to: "github.com/nats-io/...", allowed: []string{"varde/coordinator/internal/journal"}},
		{to: "modernc.org/sqlite/...", allowed: []string{"varde/coordinator/internal/history/..."}},
		{to: "github.com/DataDog/sketches-go/...", allowed: []string{"varde/coordinator/internal/history/..."}},
		{to: "filippo.io/age/...", allowed: []string{"varde/coordinator/internal/plan", "varde/probe/internal/identity", "varde/coordinator/internal/identity", "varde/proto/wire"}},
		{to: "github.com/goccy/go-yaml/...", allowed: []string{"varde/proto/document"}},
		{to: "github.com/klauspost/compress/...", allowed: []string{"varde/probe/internal/spool", "varde/coordinator/internal/recording", "varde/coordinator/internal/history/cell"}},
		{to: "github.com/parquet-go/...", allowed: []string{"varde/coordinator/internal/recording"}},
		{to: "github.com/go-json-experiment/...", allowed: []string{"varde/coordinator/internal/recording"}},
		{to: "github.com/alecthomas/kong", allowed: []string{"varde"}},
		{to: "github.com/prometheus/...", allowed: []string{"varde/coordinator/...", "varde/probe/agent"}},
		{to: "github.com/influxdata/...", allowed: []string{"varde/coordinator/internal/mirror"}},
		{to: "github.com/chromedp/...", allowed: []string{"varde/coordinator/pagetest"}},
	}
	for i := range list {
		list[i].from, list[i].why = "varde/...", one
	}
	return append(list,
		arrow{
			from: "varde/...", to: "log", allowed: []string{"varde/probe/internal/mesh", "varde/deploy/fleettest"},
			why: "logs go through the slog.Logger that was passed in; memberlist and go-smtp want the old type",
		},
		arrow{from: "varde/...", to: "expvar", why: "metrics go through the registry that was passed in"},
		arrow{
			from: "varde/...", to: "testing/...", why: "what is shipped is not a test",
			allowed: []string{"varde/checks/checktest", "varde/coordinator/pagetest", "varde/deploy/bridge", "varde/deploy/fleettest", "varde/deploy/mailstack", "varde/probe/uplinktest"},
		},
		arrow{from: "varde/...", to: "github.com/stretchr/testify/...", tests: true, why: "a test says itself what it got and what it wants"},
	)
}

// pureRooms are the rooms that compute and do nothing else: replaying a recording
// through them must give what they gave the first time.
func pureRooms() []string {
	return []string{"verdict", "availability", "graph", "status", "incident", "bulletin"}
}

func pure() []arrow {
	var list []arrow
	for _, room := range pureRooms() {
		for _, to := range []string{"net", "net/http", "net/netip", "os", "io/fs", "context", "sync", "database/sql", "log/slog", "math/rand", "math/rand/v2"} {
			list = append(list, arrow{
				from: "varde/coordinator/internal/" + room, to: to,
				why: room + " is a function of its arguments: no world, no store, no goroutines, no chance",
			})
		}
		allowed := []string{"to varde/checks", "to varde/coordinator/internal/verdict", "to varde/coordinator/internal/availability"}
		if room == "incident" || room == "bulletin" {
			allowed = append(allowed, "to varde/coordinator/internal/status")
		}
		if room == "bulletin" {
			allowed = append(allowed, "to varde/coordinator/internal/incident", "to varde/coordinator/internal/mail", "to varde/proto/document")
		}
		list = append(list, arrow{
			from: "varde/coordinator/internal/" + room, to: "varde/...", allowed: allowed,
			why: room + " knows values, not the rooms that keep or carry them",
		})
	}
	return list
}

// pages are drawn from history and from nothing else.
func pages() []arrow {
	var list []arrow
	for _, room := range []string{"page", "statuspage", "ops", "graph", "report"} {
		for _, to := range []string{"ingest", "journal", "identity", "plan"} {
			list = append(list, arrow{
				from: "varde/coordinator/internal/" + room, to: "varde/coordinator/internal/" + to,
				why: "a page reads through the interface that it declares; what it shows must not depend on how data arrives",
			})
		}
	}
	return list
}

// matches says whether path is meant by pattern.
func matches(path, pattern string) bool {
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == root || strings.HasPrefix(path, root+"/")
	}
	return path == pattern
}

func (a arrow) forbids(from, to string) bool {
	if from == to || !matches(from, a.from) || !matches(to, a.to) {
		return false
	}
	return !slices.ContainsFunc(a.allowed, func(allowed string) bool {
		if target, ok := strings.CutPrefix(allowed, "to "); ok {
			return matches(to, target)
		}
		return matches(from, allowed)
	})
}

// TestForbiddenImports looks for every arrow in every package.
func TestForbiddenImports(t *testing.T) {
	all := packages(t)
	used := map[string]bool{}
	for _, p := range all {
		tests := slices.Concat(p.TestImports, p.XTestImports)
		for _, to := range slices.Concat(p.Imports, tests) {
			used[to] = true
		}
		for _, a := range arrows() {
			for _, to := range p.Imports {
				if a.forbids(p.ImportPath, to) {
					t.Errorf("%s imports %s: %s", p.ImportPath, to, a.why)
				}
			}
			for _, to := range tests {
				if a.tests && a.forbids(p.ImportPath, to) {
					t.Errorf("a test of %s imports %s: %s", p.ImportPath, to, a.why)
				}
			}
		}
	}
	// A rule with a name that nobody has would forbid nothing.
	for _, a := range arrows() {
		for _, name := range append(slices.Clone(a.allowed), a.from) {
			name = strings.TrimPrefix(name, "to ")
			if !slices.ContainsFunc(all, func(p pkg) bool { return matches(p.ImportPath, name) }) {
				t.Errorf("the rule on %s names %s, which does not exist", a.to, name)
			}
		}
	}
}

// TestArrowsForbid proves that the rules are read as they are meant.
func TestArrowsForbid(t *testing.T) {
	forbidden := func(from, to string) bool {
		return slices.ContainsFunc(arrows(), func(a arrow) bool { return a.forbids(from, to) })
	}
	for _, x := range []struct {
		from, to string
		want     bool
	}{
		{"varde", "varde/checks", true},
		{"varde/coordinator", "varde", false},
		{"varde/coordinator/server", "varde", true},
		{"varde/checks", "varde/proto/wire", true},
		{"varde/checks", "varde/checks/imap", true},
		{"varde/checks/imap", "varde/checks", false},
		{"varde/checks/imap", "varde/proto/wire", true},
		{"varde/probe/agent", "varde/coordinator/server", true},
		{"varde/coordinator/internal/ops", "varde/probe/agent", true},
		{"varde/coordinator/internal/verdict", "net/http", true},
		{"varde/coordinator/internal/verdict", "varde/coordinator/internal/journal", true},
		{"varde/coordinator/internal/availability", "varde/coordinator/internal/verdict", false},
		{"varde/coordinator/internal/incident", "varde/coordinator/internal/status", false},
		{"varde/coordinator/internal/incident", "varde/coordinator/internal/history", true},
		{"varde/coordinator/internal/status", "varde/coordinator/internal/incident", true},
		{"varde/coordinator/internal/statuspage", "varde/coordinator/internal/ingest", true},
		{"varde/coordinator/internal/ingest", "google.golang.org/grpc/codes", false},
		{"varde/coordinator/internal/history", "google.golang.org/grpc", true},
		{"varde/probe/internal/schedule", "github.com/hashicorp/memberlist", true},
		{"varde/probe/internal/mesh", "github.com/hashicorp/memberlist", false},
		{"varde/coordinator/internal/history", "github.com/nats-io/nats.go", true},
		{"varde/coordinator/internal/journal", "modernc.org/sqlite", true},
		{"varde/deploy/local", "github.com/emersion/go-imap/server", true},
		{"varde/probe/internal/spool", "log", true},
		{"varde/probe/internal/spool", "log/slog", false},
	} {
		if got := forbidden(x.from, x.to); got != x.want {
			t.Errorf("%s to %s: got forbidden %v, want %v", x.from, x.to, got, x.want)
		}
	}
}

// TestWithoutTLS: a connection with the method InMemoryOnly carries passwords
// without TLS and without a look at the server's certificate, so nobody has it but
// the fleet for tests, and the test of what it does.
func TestWithoutTLS(t *testing.T) {
	allowed := map[string]bool{"checks/recorder.go": false, "checks/tls_test.go": false, "deploy/fleettest/network.go": false}
	for _, f := range files(t) {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if name, ok := n.(*ast.Ident); ok && name.Name == "InMemoryOnly" {
				if _, ok := allowed[f.name]; !ok {
					t.Errorf("%s:%d: InMemoryOnly goes without TLS: no stream may but one that never leaves the memory of a test", f.name, f.line(n.Pos()))
				}
				allowed[f.name] = true
			}
			return true
		})
	}
	for name, used := range allowed {
		if !used {
			t.Errorf("%s does not name InMemoryOnly: the rule looks in the wrong place", name)
		}
	}
}
