package plan_test

import (
	"bytes"
	"crypto/ed25519"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"varde/checks"
	"varde/coordinator/internal/plan"
	"varde/proto/wire"
)

const (
	imapPassword = "correct horse"
	smtpPassword = "battery staple"
)

// world is a configuration, a roster and the keys of its probes.
type world struct {
	dir  string // password files
	kept string // the Maker's folder
	log  bytes.Buffer
	ids  map[string]*age.X25519Identity
	in   plan.Input
}

// newWorld has two regions with one probe each; the check with the second
// password is for oceania only.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), kept: filepath.Join(t.TempDir(), "plan"), ids: map[string]*age.X25519Identity{}}
	w.write(t, "imap", imapPassword+"\n")
	w.write(t, "smtp", smtpPassword+"\r\n")
	w.in = plan.Input{
		Checks: []checks.Target{
			{ID: "web", Service: "web", Kind: checks.HTTPS, URL: "https://mail.example.net", Every: time.Minute, Timeout: 10 * time.Second},
			w.check("imap-login", "imap", "imaps://mail.example.net"),
			w.check("smtp-login", "smtp", "smtps://mail.example.net", "oceania"),
		},
		Regions:     []wire.Region{{ID: "eu-north", Name: "Northern Europe"}, {ID: "oceania", Name: "Oceania"}},
		Authorities: [][]byte{{1, 2, 3}}, GossipKeys: [][]byte{make([]byte, 32)},
		Coordinators: []string{"c1.example.net:7950"}, Controls: []string{"https://www.example.org/"},
		Probes: []plan.Probe{w.probe(t, "syd-1", "oceania"), w.probe(t, "osl-1", "eu-north")},
	}
	return w
}

func (w *world) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) check(id, service, url string, regions ...string) checks.Target {
	return checks.Target{
		ID: id, Service: service, Kind: checks.Kind(service), URL: url, Every: 30 * time.Second, Timeout: 10 * time.Second, Regions: regions,
		Login: &checks.Login{User: "probe", Password: checks.Secret{Name: id, File: filepath.Join(w.dir, service)}},
	}
}

func (w *world) probe(t *testing.T, name, region string) plan.Probe {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	w.ids[name] = id
	return plan.Probe{
		RosterEntry: wire.RosterEntry{Name: name, Region: region, KeySHA256: [32]byte{byte(len(w.ids))}, MeshAddress: "192.0.2.1:7946"},
		Recipient:   id.Recipient().String(),
	}
}

func testKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, 32)) }

func (w *world) open(t *testing.T) *plan.Maker {
	t.Helper()
	m, err := plan.Open(plan.Options{Dir: w.kept, Key: testKey(), Logger: slog.New(slog.NewTextHandler(&w.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// make makes a plan and fails unless it is another one exactly when said so.
func (w *world) make(t *testing.T, m *plan.Maker, want bool) {
	t.Helper()
	changed, err := m.Make(w.in)
	if err != nil {
		t.Fatal(err)
	}
	if changed != want {
		t.Errorf("changed: got %t, want %t", changed, want)
	}
}

// read returns the plan and the secrets as a probe gets them.
func (w *world) read(t *testing.T, m *plan.Maker, probe string) (wire.Plan, map[string]string) {
	t.Helper()
	s, err := m.For(probe)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Open(testKey().Public().(ed25519.PublicKey), probe)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Bundles[probe]) == 0 {
		return p, nil
	}
	r, err := age.Decrypt(bytes.NewReader(s.Bundles[probe]), w.ids[probe])
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := wire.UnmarshalSecrets(b)
	if err != nil {
		t.Fatal(err)
	}
	return p, secrets
}

// keptFile is what stands on disk.
func (w *world) keptFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(w.kept, "plan.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %s", path, info.Mode())
	}
	return string(b)
}
