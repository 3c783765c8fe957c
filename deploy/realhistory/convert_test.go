package realhistory

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestConvert makes a recording of the history of a page, and prints its outages:
//
//	git clone https://github.com/imap-fi/status
//	git -C status log --format='%cI %s' > page.log
//	VARDE_PAGE_LOG=page.log VARDE_RECORDING=. \
//	  VARDE_PAGE_SITES='Webmail=webmail/webmail; Palvelun API=api/webmail' \
//	  VARDE_PAGE_FROM=2022-04-01T00:00:00Z VARDE_PAGE_TO=2022-05-01T00:00:00Z \
//	  go test ./deploy/realhistory -run TestConvert -v
//	varde-coordinator replay --config coordinator.yaml --observations recording.jsonl
func TestConvert(t *testing.T) {
	path, dir := os.Getenv("VARDE_PAGE_LOG"), os.Getenv("VARDE_RECORDING")
	if path == "" || dir == "" {
		path, dir = filepath.Join(t.TempDir(), "page.log"), t.TempDir()
		if err := os.WriteFile(path, []byte(sample), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("VARDE_PAGE_SITES", "Webmail=webmail/webmail")
		t.Setenv("VARDE_PAGE_FROM", "2022-04-03T00:00:00Z")
		t.Setenv("VARDE_PAGE_TO", "2022-04-04T00:00:00Z")
	}
	p, from, to := page(), at(t, os.Getenv("VARDE_PAGE_FROM")), at(t, os.Getenv("VARDE_PAGE_TO"))
	p.Sites = sites(t, os.Getenv("VARDE_PAGE_SITES"))
	log, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	looks, err := ReadLog(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range Outages(looks) {
		if _, wanted := p.Sites[o.Site]; wanted && o.From.Before(to) && (o.To.IsZero() || o.To.After(from)) {
			t.Log(o)
		}
	}
	out, err := os.Create(filepath.Join(dir, "recording.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	list := p.Observations(looks, from, to)
	if err := Write(out, list); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "coordinator.yaml"), []byte(p.Config()), 0o600); err != nil {
		t.Fatal(err)
	}
	if days := to.Sub(from).Hours() / 24; len(list) < int(days)*280*len(p.Sites) {
		t.Errorf("got %d observations of %.0f days of %d sites, want one every %s", len(list), days, len(p.Sites), 5*time.Minute)
	}
	t.Logf("%d observations", len(list))
}

// sites reads "NAME=CHECK/SERVICE; ...".
func sites(t *testing.T, text string) map[string]Check {
	t.Helper()
	out := map[string]Check{}
	for part := range strings.SplitSeq(text, ";") {
		name, of, named := strings.Cut(strings.TrimSpace(part), "=")
		check, service, both := strings.Cut(of, "/")
		if !named || !both {
			t.Fatalf("VARDE_PAGE_SITES: got %q, expected NAME=CHECK/SERVICE", part)
		}
		out[name] = Check{check, service}
	}
	return out
}
