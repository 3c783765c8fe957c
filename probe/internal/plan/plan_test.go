package plan

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/proto/wire"
)

func keyOf(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

// signed is a plan of the given number for the probe osl-1.
func signed(t *testing.T, key ed25519.PrivateKey, generation, revision uint64) wire.SignedPlan {
	t.Helper()
	bundle := []byte("sealed")
	s, err := wire.SignPlan(wire.Plan{
		Number:  wire.PlanNumber{Generation: generation, Revision: revision},
		Issued:  time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
		Checks:  []checks.Target{{ID: "imap", Service: "imap", Kind: checks.IMAP, URL: "imaps://mail.example.net", Every: 30 * time.Second, Timeout: 10 * time.Second}},
		Bundles: map[string][32]byte{"osl-1": sha256.Sum256(bundle)},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	s.Bundles = map[string][]byte{"osl-1": bundle}
	return s
}

func open(t *testing.T, dir string, log *bytes.Buffer) *Store {
	t.Helper()
	s, err := Open(Options{
		Dir: dir, Probe: "osl-1", Key: keyOf(1).Public().(ed25519.PublicKey),
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func number(s *Store) wire.PlanNumber {
	p, _, _ := s.Current()
	return p.Number
}

func TestOfferKeepsThePlan(t *testing.T) {
	dir, log := t.TempDir(), &bytes.Buffer{}
	s := open(t, dir, log)
	if _, _, ok := s.Current(); ok {
		t.Error("has a plan before one was offered")
	}
	offered := signed(t, keyOf(1), 1, 7)
	changed, err := s.Offer(offered)
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	<-s.Changed()
	want, err := offered.Open(keyOf(1).Public().(ed25519.PublicKey), "osl-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{s, open(t, dir, log)} {
		p, bundle, ok := s.Current()
		if d := cmp.Diff(want, p); d != "" || !ok || string(bundle) != "sealed" {
			t.Errorf("ok %t, bundle %q, plan (-want +got):\n%s", ok, bundle, d)
		}
	}
	info, err := os.Stat(filepath.Join(dir, file))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log)
	}
}

func TestOfferTakesOnlyLargerNumbers(t *testing.T) {
	s := open(t, t.TempDir(), &bytes.Buffer{})
	for _, c := range []struct {
		generation, revision uint64
		err                  string
	}{
		{1, 7, ""},
		{1, 7, "plan is not newer: got 1.7, have 1.7"},
		{1, 6, "plan is not newer: got 1.6, have 1.7"},
		{0, 9, "plan is not newer: got 0.9, have 1.7"},
		{1, 8, ""},
		{2, 1, ""},
		{1, 9, "plan is not newer: got 1.9, have 2.1"},
	} {
		changed, err := s.Offer(signed(t, keyOf(1), c.generation, c.revision))
		if changed != (c.err == "") || err != nil && err.Error() != c.err || err == nil && c.err != "" {
			t.Errorf("%d.%d: changed %t, %v", c.generation, c.revision, changed, err)
		}
	}
	if got := number(s); got != (wire.PlanNumber{Generation: 2, Revision: 1}) {
		t.Errorf("has %v", got)
	}
}

func TestOfferRefusesWhatIsNotOurs(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, &bytes.Buffer{})
	if _, err := s.Offer(signed(t, keyOf(1), 1, 1)); err != nil {
		t.Fatal(err)
	}
	foreign := signed(t, keyOf(2), 5, 5)
	if _, err := s.Offer(foreign); !errors.Is(err, wire.ErrPlanSignature) {
		t.Errorf("foreign signature: %v", err)
	}
	altered := signed(t, keyOf(1), 5, 5)
	altered.Plan[0] ^= 1
	if _, err := s.Offer(altered); !errors.Is(err, wire.ErrPlanSignature) {
		t.Errorf("altered: %v", err)
	}
	swapped := signed(t, keyOf(1), 5, 5)
	swapped.Bundles["osl-1"] = []byte("another's secrets")
	if _, err := s.Offer(swapped); err == nil || !strings.Contains(err.Error(), "sealed secrets are not those") {
		t.Errorf("swapped bundle: %v", err)
	}
	if got := number(open(t, dir, &bytes.Buffer{})); got != (wire.PlanNumber{Generation: 1, Revision: 1}) {
		t.Errorf("has %v", got)
	}
}

func TestDamagedFileIsPutAside(t *testing.T) {
	whole, err := signed(t, keyOf(1), 1, 1).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := signed(t, keyOf(2), 1, 1).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 4
	for name, b := range map[string][]byte{
		"empty": {}, "cut": whole[:len(whole)-9], "rubbish": []byte("rubbish"), "flipped": flipped, "foreign": foreign,
		"huge": make([]byte, maxBytes+1),
	} {
		t.Run(name, func(t *testing.T) {
			dir, log := t.TempDir(), &bytes.Buffer{}
			if err := os.WriteFile(filepath.Join(dir, file), b, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir, log)
			if _, _, ok := s.Current(); ok {
				t.Error("took it")
			}
			if got, err := os.ReadFile(filepath.Join(dir, damaged)); err != nil || !bytes.Equal(got, b) {
				t.Errorf("put aside %d bytes, want %d: %v", len(got), len(b), err)
			}
			if !strings.Contains(log.String(), `level=ERROR msg="plan on disk cannot be used, going on without one"`) {
				t.Errorf("logged %q", log)
			}
			if changed, err := s.Offer(signed(t, keyOf(1), 1, 1)); !changed || err != nil {
				t.Errorf("then offered: %t, %v", changed, err)
			}
		})
	}
}

// A plan that cannot be written is in force all the same, and kept as soon as it
// can be: nobody sends it again.
func TestOfferOntoABadDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, &bytes.Buffer{})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.Offer(signed(t, keyOf(1), 1, 2)); !changed || err == nil || !strings.HasPrefix(err.Error(), "write "+filepath.Join(dir, file)+": ") {
		t.Errorf("changed %t, %v", changed, err)
	}
	if got := number(s); got.Revision != 2 {
		t.Errorf("has revision %d, want 2", got.Revision)
	}
	<-s.Changed()
	if err := s.Keep(); err == nil {
		t.Error("kept without a folder")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		if err := s.Keep(); err != nil {
			t.Error(err)
		}
	}
	if got := number(open(t, dir, &bytes.Buffer{})); got.Revision != 2 {
		t.Errorf("revision %d is on disk, want 2", got.Revision)
	}
}

func TestManyOffersAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, &bytes.Buffer{})
	var wg sync.WaitGroup
	for i := range 20 {
		offer := signed(t, keyOf(1), 1, uint64(i+1))
		wg.Go(func() {
			if _, err := s.Offer(offer); err != nil && !strings.HasPrefix(err.Error(), "plan is not newer: ") {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, disk := number(s), number(open(t, dir, &bytes.Buffer{})); got.Revision != 20 || disk != got {
		t.Errorf("has %v, on disk %v", got, disk)
	}
}

func TestOpenRefuses(t *testing.T) {
	key := keyOf(1).Public().(ed25519.PublicKey)
	none := filepath.Join(t.TempDir(), "none")
	for want, opt := range map[string]Options{
		"plan: no folder given":                              {Probe: "osl-1", Key: key},
		`plan: probe "", expected an id`:                     {Dir: t.TempDir(), Key: key},
		"plan: key has 0 bytes, expected 32":                 {Dir: t.TempDir(), Probe: "osl-1"},
		"plan: stat " + none + ": no such file or directory": {Dir: none, Probe: "osl-1", Key: key},
	} {
		if _, err := Open(opt); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Whatever stands in the file, opening does not fail and takes only what was
// signed.
func FuzzOpen(f *testing.F) {
	key := keyOf(1)
	s, err := wire.SignPlan(wire.Plan{Number: wire.PlanNumber{Revision: 1}, Issued: time.Unix(1, 0)}, key)
	if err != nil {
		f.Fatal(err)
	}
	whole, err := s.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte{0x0a, 3, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, file), b, 0o600); err != nil {
			t.Fatal(err)
		}
		st := open(t, dir, &bytes.Buffer{})
		if _, _, ok := st.Current(); ok && !bytes.Contains(b, s.Plan) {
			t.Error("took a plan that nobody signed")
		}
	})
}
