package verdict

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
)

// watched is a panel of one check that is fed by three probes a region, each of
// which looks every 30 s.
type watched struct {
	p   *Panel
	at  time.Time
	seq uint64
}

func watch() *watched {
	return &watched{p: NewPanel(Rules{"imap": half}), at: start}
}

// look lets time pass. says is what a probe finds; nothing if it does not look.
func (w *watched) look(length time.Duration, says func(region, probe string) checks.Class) {
	for end := w.at.Add(length); w.at.Before(end); w.at = w.at.Add(10 * time.Second) {
		probe := string(rune('1' + w.at.Unix()/10%3))
		for _, region := range []string{"north", "south"} {
			w.seq++
			r := Result{Probe: region + "-" + probe, Seq: w.seq, Started: w.at, Ended: w.at, Scheduled: true, Login: true, Outcome: checks.Up}
			if class := says(region, r.Probe); class != "" {
				r.Outcome, r.Class = class.Outcome(), class
			}
			w.p.Observe(w.at, Series{Check: "imap", Region: region, Family: checks.IPv4}, r)
		}
	}
}

func well(string, string) checks.Class { return "" }

func TestAProbeThatIsAloneIsNoticed(t *testing.T) {
	alone := func(_, probe string) checks.Class {
		if probe == "south-2" {
			return checks.GreetingError
		}
		return ""
	}
	w := watch()
	w.look(20*time.Minute, well)
	w.look(10*time.Minute, alone)
	if got := w.p.Notices(w.at); len(got) != 0 {
		t.Errorf("after less than 10 min: got %+v", got)
	}
	w.look(time.Minute, alone)
	want := []Notice{{
		Kind: Stray, Check: "imap", Region: "south", Family: checks.IPv4, Probe: "south-2", Since: start.Add(20*time.Minute + 10*time.Second),
		Reason: "22 runs in a row failed (greeting_error), of 43 runs of 2 probes besides 0 failed",
		Evidence: Evidence{
			Part: ByProbe, Class: checks.GreetingError,
			Figures: []Figure{
				{Name: "runs in a row", Got: 22, Needed: 3},
				{Name: "time alone", Got: 650, Needed: 600, Unit: "s"},
				{Name: "share of the others' runs that say the contrary", Got: 1, Needed: 0.9, Of: 43},
			},
			Probes: []Witness{
				{Probe: "south-1", Outcome: checks.Up},
				{Probe: "south-2", Outcome: checks.Down, Since: start.Add(20*time.Minute + 10*time.Second), Class: checks.GreetingError},
				{Probe: "south-3", Outcome: checks.Up},
			},
		},
	}}
	if diff := cmp.Diff(want, w.p.Notices(w.at)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if j := w.p.Judge(Series{Check: "imap", Region: "south", Family: checks.IPv4}); j.State() != Up {
		t.Errorf("the region is %s", j.State())
	}
	w.look(time.Minute, well)
	if got := w.p.Notices(w.at); len(got) != 0 {
		t.Errorf("after it was well again: got %+v", got)
	}
}

// The only one for which all is well is alone too; where two see it nobody is.
func TestWhoIsAlone(t *testing.T) {
	for _, tc := range []struct {
		failing string
		want    int
	}{{"south-2 south-3", 1}, {"south-1", 1}, {"south-1 south-2 south-3", 0}} {
		w := watch()
		w.look(20*time.Minute, well)
		w.look(12*time.Minute, func(_, probe string) checks.Class {
			if strings.Contains(tc.failing, probe) {
				return checks.ConnectTimeout
			}
			return ""
		})
		if got := w.p.Notices(w.at); len(got) != tc.want {
			t.Errorf("%s fail: got %+v, want %d", tc.failing, got, tc.want)
		}
	}
}

func TestRefusedLoginsAreNoticedWithinAMinute(t *testing.T) {
	refused := func(string, string) checks.Class { return checks.AuthRejected }
	w := watch()
	w.look(2*time.Minute, refused)
	if got := w.p.Notices(w.at); len(got) != 0 {
		t.Errorf("a password that never worked: got %+v", got)
	}
	w.look(20*time.Minute, well)
	w.look(20*time.Second, refused)
	if got := w.p.Notices(w.at); len(got) != 0 {
		t.Errorf("some are let in: got %+v", got)
	}
	w.look(10*time.Second, refused)
	refusedSince := func(probe string, s int) Witness {
		return Witness{Probe: probe, Since: start.Add(22*time.Minute + time.Duration(s)*time.Second), Class: checks.AuthRejected}
	}
	want := []Notice{{
		Kind: Refused, Check: "imap", Since: start.Add(22 * time.Minute),
		Reason: "the last login of each probe was refused, 6 in 2 regions; the password worked until 22 Nov, 10:21:50 UTC",
		Evidence: Evidence{
			Part: ByLogins, Class: checks.AuthRejected,
			Figures: []Figure{
				{Name: "last logins that were refused", Got: 6, Needed: 6, Of: 6},
				{Name: "regions they come from", Got: 2, Needed: 1},
				{Name: "time since the password worked", Got: 40, Needed: 86400, Unit: "s"},
			},
			Probes: []Witness{
				refusedSince("north-1", 0), refusedSince("north-2", 10), refusedSince("north-3", 20),
				refusedSince("south-1", 0), refusedSince("south-2", 10), refusedSince("south-3", 20),
			},
		},
	}}
	if diff := cmp.Diff(want, w.p.Notices(w.at)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.look(25*time.Hour, refused)
	if got := w.p.Notices(w.at); len(got) != 0 {
		t.Errorf("a day later: got %+v", got)
	}
	w.look(time.Minute, func(region, _ string) checks.Class {
		if region == "north" {
			return checks.AuthRejected
		}
		return ""
	})
	if got := w.p.Notices(w.at); len(got) != 0 {
		t.Errorf("one region is let in: got %+v", got)
	}
}
