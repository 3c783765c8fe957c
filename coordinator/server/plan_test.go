package server

import (
	"bytes"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"varde/checks"
	"varde/checks/checktest"
	"varde/coordinator/internal/config"
)

const small = `advertise: ["coordinator.example.net:7950"]
listen: {grpc: "198.51.100.1:7950", public: "198.51.100.1:8080", ops: "127.0.0.1:8081"}
regions: [{id: eu-north, name: Northern Europe}]
services: [{id: imap, name: IMAP, consent: true}, {id: new, name: Brand new service, consent: true}]
checks:
  - {id: imap-a, service: imap, kind: imap, url: "imaps://mail.example.net", every: 30s}
`

// opened is a coordinator that has all it needs and does not run.
func opened(t *testing.T, c config.Config) *Server {
	t.Helper()
	host := checktest.NewInternet().Host(netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("127.0.0.1"))
	c.Data = t.TempDir()
	s, err := New(Options{Config: c, Logger: slog.New(slog.DiscardHandler), NoSync: true, Listen: host.Listen})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func configured(t *testing.T, text string) config.Config {
	t.Helper()
	c, err := config.Parse("coordinator.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// asked returns what the public page answers.
func asked(h http.HandlerFunc, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// TestReloadIsWholeOrNot: a configuration of which there can be no plan reaches
// neither pages nor history.
func TestReloadIsWholeOrNot(t *testing.T) {
	before := configured(t, strings.ReplaceAll(small, ", {id: new, name: Brand new service, consent: true}", ""))
	s := opened(t, before)
	state := func() (checks, services, judged int, page string) {
		p, _ := s.plans.Current()
		return len(p.Checks), len(s.current().Services), len(s.fleet.Load().Checks), asked(s.public, "/").Body.String()
	}
	next := configured(t, small+`  - {id: new-a, service: new, kind: imap, url: "imaps://new.example.net", every: 30s}`+"\n")
	broken := next
	broken.Checks = append([]config.Check{}, next.Checks...)
	broken.Checks[1].CA = &checks.Authority{PEM: bytes.Repeat([]byte("x"), 4<<20)}
	if err := s.Reload(broken); err == nil || !strings.HasPrefix(err.Error(), "make plan: plan has ") {
		t.Errorf("a plan that is too large: %v", err)
	}
	if inPlan, services, judged, page := state(); inPlan != 1 || services != 1 || judged != 1 || strings.Contains(page, "Brand new") {
		t.Errorf("after an error: plan has %d checks, history %d, configuration %d services, page is new: %v", inPlan, judged, services, strings.Contains(page, "Brand new"))
	}
	if err := s.Reload(next); err != nil {
		t.Fatal(err)
	}
	if inPlan, services, judged, page := state(); inPlan != 2 || services != 2 || judged != 2 || !strings.Contains(page, "Brand new") {
		t.Errorf("afterwards: plan has %d checks, history %d, configuration %d services, page is new: %v", inPlan, judged, services, strings.Contains(page, "Brand new"))
	}
}

// TestReloadReachesTheOperatorsHosts: operators ask under the new name, and
// nobody under the old one.
func TestReloadReachesTheOperatorsHosts(t *testing.T) {
	c := configured(t, small)
	s := opened(t, c)
	answers := func(host string) int {
		r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
		r.Host = host
		w := httptest.NewRecorder()
		s.ops.ServeHTTP(w, r)
		return w.Code
	}
	const old, young = "coordinator.example.net:8081", "new.example.net:8081"
	if answers(old) != http.StatusOK || answers(young) != http.StatusMisdirectedRequest {
		t.Errorf("before: %s %d, %s %d", old, answers(old), young, answers(young))
	}
	c.Data, c.Advertise = s.current().Data, []string{"new.example.net:7950"}
	if err := s.Reload(c); err != nil {
		t.Fatal(err)
	}
	if answers(old) != http.StatusMisdirectedRequest || answers(young) != http.StatusOK {
		t.Errorf("after: %s %d, %s %d", old, answers(old), young, answers(young))
	}
}

// TestWhatIsValidRuns: run takes every password file and every certificate that
// validate takes, and validate refuses those that would stop it.
func TestWhatIsValidRuns(t *testing.T) {
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: checktest.NewCA().Certificate("x").Certificate[0]})
	large := append(bytes.Repeat([]byte("# why it is here\n"), 50_000), certificate...)
	for name, c := range map[string]struct {
		secret, ca string
		checks     int
		valid      bool
	}{
		"one line":             {"secret\n", string(certificate), 1, true},
		"empty lines after it": {"secret\r\n\n\n", string(certificate), 1, true},
		"not text":             {"\xff\xfe\n", string(certificate), 1, false},
		"one large authority":  {"secret", string(large), 1, true},
		"four of them":         {"secret", string(large), 4, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			text := strings.Split(small, "checks:")[0] + "checks:\n"
			for i := range c.checks {
				text += `  - {id: imap-` + string(rune('a'+i)) + `, service: imap, kind: imap, url: "imaps://mail.example.net", every: 30s, ` +
					`login: {user: a, password: {file: secret}}, ca: {file: ca}}` + "\n"
			}
			for file, content := range map[string]string{"secret": c.secret, "ca": c.ca, "c.yaml": text} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			loaded, err := Load(filepath.Join(dir, "c.yaml"))
			if (err == nil) != c.valid {
				t.Fatalf("valid: %v, want %v", err, c.valid)
			}
			if err == nil {
				opened(t, loaded)
			}
		})
	}
}

// TestDataFolderThatCannotBeMade is named by its key.
func TestDataFolderThatCannotBeMade(t *testing.T) {
	c := configured(t, small)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.Data = filepath.Join(file, "data")
	_, err := New(Options{Config: c, Logger: slog.New(slog.DiscardHandler)})
	if want := "data: mkdir " + file + ": not a directory"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
