package agent

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/probe/internal/schedule"
)

// spooled are the observations of an agent that no coordinator has.
func (s *station) spooled(t *testing.T, a *Agent) []checks.Observation {
	t.Helper()
	records, err := a.spool.Next(a.spool.Epoch(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var out []checks.Observation
	for _, r := range records {
		out = append(out, r.Observation)
	}
	return out
}

// onSchedule are those of them that nobody asked for.
func (s *station) onSchedule(t *testing.T, a *Agent) []checks.Observation {
	t.Helper()
	return slices.DeleteFunc(s.spooled(t, a), func(o checks.Observation) bool { return o.Trigger != checks.Scheduled })
}

// TestLateRun: what fails in a run that began more than 250 ms late says
// nothing of the service; what is up is up.
func TestLateRun(t *testing.T) {
	for name, c := range map[string]struct {
		late    time.Duration
		script  []ct.Step
		outcome checks.Outcome
		class   checks.Class
		detail  string
	}{
		"a little late": {250 * time.Millisecond, nil, checks.Down, checks.ConnectRefused, "connection refused"},
		"late":          {251 * time.Millisecond, nil, checks.Unknown, checks.OwnLate, "began 251ms late, then connect_refused"},
		"late and up": {
			time.Second, []ct.Step{
				ct.Send("220 hi\r\n"), ct.Expect("EHLO "), ct.Send("250 hi\r\n"), ct.Expect("QUIT"), ct.Send("221 bye\r\n"),
			}, checks.Up, "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t)
				if c.script != nil {
					s.Play(t, ":25", c.script...)
				}
				a := s.agent(t)
				defer a.spool.Close()
				p, bundle, _ := a.plans.Current()
				a.apply(t.Context(), p, bundle)
				a.run(t.Context(), schedule.Run{Target: &p.Checks[0], Family: checks.IPv4, Scheduled: time.Now().Add(-c.late)})
				got := s.spooled(t, a)
				if len(got) != 1 || got[0].Outcome != c.outcome || got[0].Class != c.class || got[0].Detail != c.detail {
					t.Errorf("got %+v, want %s %s %q", got, c.outcome, c.class, c.detail)
				}
				want := uint64(0)
				if c.late > maxLate {
					want = 1
				}
				if n := a.state().Counts.Late; n != want {
					t.Errorf("%d runs are counted as late, want %d", n, want)
				}
			})
		})
	}
}

// TestLossesAreToldOnce: a spool that takes nothing is one line in the log,
// however much is lost.
func TestLossesAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		a := s.agent(t)
		if err := a.spool.Close(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			a.keep(checks.Observation{Check: "smtp"})
		}
		if got := s.log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `level=ERROR msg="observations are lost" check=smtp`) {
			t.Errorf("logged\n%s\nwant one line", got)
		}
	})
}

// TestJoinedAnew: a machine that has become another probe sends nothing of what
// it saw as the old one.
func TestJoinedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		a := s.agent(t)
		before := a.spool.Epoch()
		a.keep(checks.Observation{
			Check: "smtp", Service: "smtp", Family: checks.IPv4, Scheduled: time.Now(), Started: time.Now(), Every: time.Minute,
			Result: checks.Result{Outcome: checks.Up},
		})
		if err := a.spool.Close(); err != nil {
			t.Fatal(err)
		}
		a = s.agent(t)
		if got := a.spool.Epochs(); len(got) != 2 || got[0] != before {
			t.Errorf("restarted: epochs %v, want %s and a new one; logged\n%s", got, before, s.log.String())
		}
		if err := errors.Join(a.spool.Close(), os.Remove(filepath.Join(s.dir, "identity.json"))); err != nil {
			t.Fatal(err)
		}
		public, _, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		join(t, s.dir, public) // of another fleet
		a = s.agent(t)
		defer a.spool.Close()
		if got := a.spool.Epochs(); len(got) != 1 {
			t.Errorf("joined anew: epochs %v, want a new one", got)
		}
	})
}
