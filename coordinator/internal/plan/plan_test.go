package plan_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/plan"
	"varde/proto/wire"
)

func TestPlanHoldsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.open(t)
		if _, err := m.For("osl-1"); !errors.Is(err, plan.ErrNoPlan) {
			t.Errorf("before the first plan: got %v, want ErrNoPlan", err)
		}
		if _, ok := m.Current(); ok {
			t.Error("a plan before the first")
		}
		waiting := m.Changed()
		w.make(t, m, true)
		select {
		case <-waiting:
		default:
			t.Error("nobody was told of the plan")
		}
		p, _ := w.read(t, m, "osl-1")
		want := wire.Plan{
			Number: wire.PlanNumber{Generation: 946684800, Revision: 1}, Issued: time.Now().UTC(),
			Checks: p.Checks, Regions: w.in.Regions, Authorities: w.in.Authorities, GossipKeys: w.in.GossipKeys,
			Roster:       []wire.RosterEntry{w.in.Probes[1].RosterEntry, w.in.Probes[0].RosterEntry}, // by name
			Coordinators: w.in.Coordinators, Controls: w.in.Controls, Bundles: p.Bundles,
		}
		if diff := cmp.Diff(want, p); diff != "" {
			t.Errorf("plan (-want +got):\n%s", diff)
		}
		if len(p.Checks) != 3 || p.Checks[1].Login.Password != (checks.Secret{Name: "imap-login"}) {
			t.Errorf("checks %+v", p.Checks)
		}
		if current, ok := m.Current(); !ok || !cmp.Equal(current, p) {
			t.Errorf("current plan is another: %+v", current)
		}
		if _, err := m.For("nobody"); !errors.Is(err, plan.ErrNotInPlan) {
			t.Errorf("a probe that is not in the roster: got %v, want ErrNotInPlan", err)
		}
	})
}

// TestEachProbeGetsWhatItsChecksNeed and nothing else.
func TestEachProbeGetsWhatItsChecksNeed(t *testing.T) {
	w := newWorld(t)
	w.in.Checks = append(w.in.Checks, w.check("imap-again", "imap", "imaps://b.example.net", "oceania"))
	w.in.Checks[3].Login.Password.Name = "" // the name is then that of the check
	m := w.open(t)
	w.make(t, m, true)
	for probe, want := range map[string]map[string]string{
		"osl-1": {"imap-login": imapPassword},
		"syd-1": {"imap-login": imapPassword, "smtp-login": smtpPassword, "imap-again": imapPassword},
	} {
		_, got := w.read(t, m, probe)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", probe, diff)
		}
		if knows := m.Knows(probe); len(knows) != len(want) {
			t.Errorf("%s knows %v", probe, knows)
		}
	}
	if got := m.Knows("syd-1"); got[0] != "imap-again" || got[2] != "smtp-login" {
		t.Errorf("not in order: %v", got)
	}
	s, err := m.For("syd-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := age.Decrypt(bytes.NewReader(s.Bundles["syd-1"]), w.ids["osl-1"]); err == nil {
		t.Error("one probe can open the secrets of another")
	}
}

func TestProbeWithoutSecretsHasNoBundle(t *testing.T) {
	w := newWorld(t)
	w.in.Checks = w.in.Checks[:1]
	m := w.open(t)
	w.make(t, m, true)
	p, secrets := w.read(t, m, "osl-1")
	if p.Bundles != nil || secrets != nil || m.Knows("osl-1") != nil {
		t.Errorf("bundles %v, secrets %d", p.Bundles, len(secrets))
	}
}

// TestRevisionGrowsWithTheContent changes one thing at a time.
func TestRevisionGrowsWithTheContent(t *testing.T) {
	w := newWorld(t)
	m := w.open(t)
	w.make(t, m, true)
	for _, c := range []struct {
		name   string
		change func()
	}{
		{"check", func() { w.in.Checks[0].Every = 2 * time.Minute }},
		{"expectation", func() { w.in.Checks[0].Expect.Body = "ok" }},
		{"check gone", func() { w.in.Checks = w.in.Checks[1:] }},
		{"region name", func() { w.in.Regions[0].Name = "North" }},
		{"coordinator", func() { w.in.Coordinators = append(w.in.Coordinators, "c2.example.net:7950") }},
		{"control", func() { w.in.Controls = nil }},
		{"authority", func() { w.in.Authorities = append(w.in.Authorities, []byte{4}) }},
		{"mesh key", func() { w.in.GossipKeys = append([][]byte{bytes.Repeat([]byte{7}, 32)}, w.in.GossipKeys...) }},
		{"mesh address", func() { w.in.Probes[0].MeshAddress = "192.0.2.9:7946" }},
		{"key of a probe", func() { w.in.Probes[0].KeySHA256[0] ^= 1 }},
		{"recipient", func() { w.in.Probes[0].Recipient = w.probe(t, "syd-1", "oceania").Recipient }},
		{"password", func() { w.write(t, "imap", "another") }},
		{"probe gone", func() { w.in.Probes = w.in.Probes[1:] }},
		{"probe come", func() { w.in.Probes = append(w.in.Probes, w.probe(t, "osl-2", "eu-north")) }},
	} {
		before, _ := m.Current()
		c.change()
		w.make(t, m, true)
		after, _ := m.Current()
		if want := (wire.PlanNumber{Generation: before.Number.Generation, Revision: before.Number.Revision + 1}); after.Number != want {
			t.Errorf("%s: number %v, want %v", c.name, after.Number, want)
		}
		waiting := m.Changed()
		w.make(t, m, false)
		w.in.Probes = append(w.in.Probes[1:], w.in.Probes[0]) // another order is the same roster
		w.make(t, m, false)
		if again, _ := m.Current(); again.Number != after.Number {
			t.Errorf("%s: made again it has number %v, want %v", c.name, again.Number, after.Number)
		}
		select {
		case <-waiting:
			t.Errorf("%s: told of a plan that is the same", c.name)
		default:
		}
	}
}

// TestRestart: the same bytes come back, and what changed meanwhile has a
// larger number.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.open(t)
		w.make(t, m, true)
		w.in.Controls = nil
		w.make(t, m, true)
		before, err := m.For("syd-1")
		if err != nil {
			t.Fatal(err)
		}
		file := w.keptFile(t)

		time.Sleep(24 * time.Hour)
		m = w.open(t)
		for range 2 { // with and without the configuration
			after, err := m.For("syd-1")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("after a restart (-before +after):\n%s", diff)
			}
			w.make(t, m, false)
		}
		if w.keptFile(t) != file {
			t.Error("the same plan was written again")
		}
		w.in.Controls = []string{"tcp://192.0.2.7:443"}
		w.make(t, m, true)
		if p, _ := w.read(t, m, "syd-1"); p.Number.Revision != 3 {
			t.Errorf("number %v, want revision 3", p.Number)
		}
	})
}

// TestLostFileBeginsANewGeneration: probes take what comes after.
func TestLostFileBeginsANewGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.open(t)
		w.make(t, m, true)
		w.in.Controls = nil
		w.make(t, m, true)
		before, _ := m.Current()
		if err := os.RemoveAll(w.kept); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		m = w.open(t)
		w.make(t, m, true)
		if after, _ := m.Current(); !after.Number.After(before.Number) || after.Number.Revision != 1 {
			t.Errorf("number %v is not after %v", after.Number, before.Number)
		}
	})
}

// TestSupersede: the plan that a restored folder makes is newer than whatever was made
// after the copy, also by a clock that is behind, and it is made although nothing else
// in it changed.
func TestSupersede(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.open(t)
		w.make(t, m, true)
		before, _ := m.Current()
		for _, at := range []time.Time{time.Now().Add(time.Hour), time.Unix(-5, 0)} {
			if err := plan.Supersede(w.kept, at); err != nil {
				t.Fatal(err)
			}
			m = w.open(t)
			w.make(t, m, true)
			after, _ := m.Current()
			if after.Number.Generation <= before.Number.Generation {
				t.Errorf("number %v, want a later generation than %v", after.Number, before.Number)
			}
			before = after
		}
		if err := os.WriteFile(filepath.Join(w.kept, "plan.json"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := plan.Supersede(w.kept, time.Now()); err == nil {
			t.Error("a file that cannot be read was replaced")
		}
	})
}

// TestOnlyWhatChangedIsSealedAnew: a new password for one region leaves the
// bundles of the others.
func TestOnlyWhatChangedIsSealedAnew(t *testing.T) {
	w := newWorld(t)
	m := w.open(t)
	w.make(t, m, true)
	before, _ := m.Current()
	w.write(t, "smtp", "another")
	m = w.open(t)
	w.make(t, m, true)
	after, _ := m.Current()
	if before.Bundles["osl-1"] != after.Bundles["osl-1"] {
		t.Error("a bundle whose content is the same was sealed anew")
	}
	if before.Bundles["syd-1"] == after.Bundles["syd-1"] {
		t.Error("a bundle whose content is another was not sealed anew")
	}
	if _, secrets := w.read(t, m, "syd-1"); secrets["smtp-login"] != "another" {
		t.Error("the new password did not arrive")
	}
}

// TestPlanOfAnotherKey: a plan that no probe would take is made anew, with a
// larger number.
func TestPlanOfAnotherKey(t *testing.T) {
	w := newWorld(t)
	w.make(t, w.open(t), true)
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	m, err := plan.Open(plan.Options{Dir: w.kept, Key: key, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.For("osl-1"); !errors.Is(err, plan.ErrNoPlan) {
		t.Errorf("got %v, want ErrNoPlan", err)
	}
	w.make(t, m, true)
	s, err := m.For("osl-1")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := s.Open(key.Public().(ed25519.PublicKey), "osl-1"); err != nil || p.Number.Revision != 2 {
		t.Errorf("number %v, %v", p.Number, err)
	}
}

// TestReadersWhilePlansAreMade is for the race detector, and every reader sees
// a plan that fits its bundle.
func TestReadersWhilePlansAreMade(t *testing.T) {
	w := newWorld(t)
	m := w.open(t)
	w.make(t, m, true)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				s, err := m.For("osl-1")
				if err == nil {
					_, err = s.Open(testKey().Public().(ed25519.PublicKey), "osl-1")
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 20 {
		w.write(t, "imap", strings.Repeat("x", i+1))
		w.make(t, m, true)
	}
	close(stop)
	wg.Wait()
}
