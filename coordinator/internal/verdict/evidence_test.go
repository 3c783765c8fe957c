package verdict

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"varde/checks"
)

// words writes evidence down in a line: the part, its figures, what is to blame.
func words(e Evidence) string {
	s := string(e.Part)
	for _, f := range e.Figures {
		s += fmt.Sprintf("; %s %.4g needed %.4g", f.Name, f.Got, f.Needed)
		if f.Unit != "" {
			s += " " + f.Unit
		}
		if f.Of > 0 {
			s += fmt.Sprintf(" of %d", f.Of)
		}
	}
	return s + fmt.Sprintf("; %s/%s %v", e.Phase, e.Class, e.Networks)
}

func (g *region) expectEvidence(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, c := range g.changes {
		got = append(got, c.To.String()+" "+words(c.Evidence))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("evidence differs (-want +got):\n%s", diff)
	}
}

func TestEvidenceOfADown(t *testing.T) {
	var g region
	g.look(61, nil)
	g.look(6, always)
	g.look(6, nil)
	g.expectEvidence(t,
		"up first; good probes 2 needed 2 of 2; / []",
		"down failures; failures in a row 4 needed 4; probes in that row 3 needed 2; probes that say so 3 needed 2 of 3; tls/tls_timeout [192.0.2.0/24]",
		"up recovery; good results in a row 3 needed 3; probes in that row 3 needed 2; / []",
	)
	down := g.changes[1]
	since := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	want := []Witness{
		{Probe: "a", Outcome: checks.Down, Since: since(629.9), Phase: checks.TLS, Class: checks.TLSTimeout, Network: "192.0.2.0/24"},
		{Probe: "b", Outcome: checks.Down, Since: since(609.9), Phase: checks.TLS, Class: checks.TLSTimeout, Network: "192.0.2.0/24"},
		{Probe: "c", Outcome: checks.Down, Since: since(619.9), Phase: checks.TLS, Class: checks.TLSTimeout, Network: "192.0.2.0/24"},
	}
	if diff := cmp.Diff(want, down.Evidence.Probes); diff != "" {
		t.Errorf("witnesses of the down (-want +got):\n%s", diff)
	}
}

func TestEvidenceOfALoss(t *testing.T) {
	var g region
	g.look(61, nil)
	g.look(120, fifth)
	g.look(120, nil)
	g.expectEvidence(t,
		"up first; good probes 2 needed 2 of 2; / []",
		"intermittent share; share of failed runs, lower bound 0.05551 needed 0.05 of 61; probes that failed three times or more 2 needed 2 of 3; tls/tls_timeout [192.0.2.0/24]",
		"up end; share of failed runs 0.01639 needed 0.02 of 61; / []",
	)
}

func TestEvidenceOfFalls(t *testing.T) {
	var g region
	g.look(61, nil)
	for range 3 {
		g.look(6, always)
		g.look(60, nil)
	}
	g.look(150, nil)
	n := len(g.changes)
	g.changes = g.changes[n-2:]
	g.expectEvidence(t,
		"intermittent falls; times down 3 needed 3; time from the first to the last 1320 needed 3600 s; tls/tls_timeout [192.0.2.0/24]",
		"up end; time since the last down 1810 needed 1800 s; / []",
	)
}

func TestEvidenceOfPace(t *testing.T) {
	var g region
	g.look(600, nil)
	g.took = 650 * time.Millisecond
	g.look(20, nil)
	g.took = 120 * time.Millisecond
	g.look(20, nil)
	g.expectEvidence(t,
		"up first; good probes 2 needed 2 of 2; / []",
		"slow pace; p50 of good runs 0.65 needed 0.6 s of 10; times the usual p50 6.5 needed 3; above the usual p50 0.55 needed 0.5 s; greeting/ []",
		"up end; p50 of good runs 0.12 needed 0.45 s of 10; / []",
	)
}

// A week of slowness is the usual, and the evidence says how long it was.
func TestEvidenceOfWhatBecameUsual(t *testing.T) {
	var g region
	g.look(600, nil)
	g.took = 2 * time.Second
	g.look(6*60*24*7+20, nil)
	g.changes = g.changes[len(g.changes)-1:]
	g.expectEvidence(t, "up end; time that slow 6.048e+05 needed 6.048e+05 s; / []")
}

func TestEvidenceOfLateMailAndQuorum(t *testing.T) {
	for _, tc := range []struct{ script, want string }{
		{
			three + "40 b late\n50 c late\n60 a down\n70 b late",
			"slow late; late or failed results in a row 4 needed 4; probes in that row 3 needed 2; probes that say so 3 needed 2 of 3; /late []",
		},
		{
			three + "40 b down\n40.2 b down\n40.3 a down\n40.4 c down\n70 b late\n80 c late\n90 a late",
			"slow recovery; good or late results in a row 3 needed 3; probes in that row 3 needed 2; probes that are late 3 needed 2 of 3; /late []",
		},
		{
			three + "40 b down\n40.2 b down\n40.3 a down\n40.4 c down\n70 b up\n80 c late\n90 a up",
			"up recovery; good results in a row 2 needed 3; probes in that row 3 needed 2; / []",
		},
		{"0 a up\n15 b down\n30 a up", "up first; good probes 1 needed 1 of 2; / []"},
		{
			"0 a up\n1 b up\n30 a unknown\n31 b unknown\n60 a unknown\n61 b unknown\n62 -",
			"unknown quorum; probes with a current result 1 needed 2; /own_network []",
		},
	} {
		var last Change
		for _, c := range playAll(t, half, tc.script) {
			last = c
		}
		if got := last.To.String() + " " + words(last.Evidence); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}

// In a large region the figures say what was asked of it.
func TestEvidenceOfAWideRegion(t *testing.T) {
	j := crowd(t)
	var rs []Result
	for i, probe := range tenProbes[:4] {
		at := start.Add(time.Duration(30+i) * time.Second)
		rs = append(rs, Result{Probe: probe, Seq: 2, Started: at, Ended: at.Add(5 * time.Second), Outcome: checks.Down, Class: checks.ConnectTimeout, Phase: checks.Connect})
	}
	_, changes := Final(anySeries, half, j, rs, time.Time{})
	want := "failures; failures in a row 4 needed 4; probes in that row 4 needed 2; probes that say so, as all do that looked since 4 needed 4 of 10; connect/connect_timeout []"
	if len(changes) != 1 || words(changes[0].Evidence) != want || len(changes[0].Evidence.Probes) != 10 {
		t.Errorf("got %+v, want %s by 10 probes", changes, want)
	}
}

// What is to blame is the commonest class, and the commonest phase of that class.
func TestBlame(t *testing.T) {
	var e Evidence
	e.blame([]how{
		{checks.TLSTimeout, checks.TLS, "2001:db8::/48"},
		{checks.Closed, checks.TLS, ""},
		{checks.Busy, checks.Greeting, "192.0.2.0/24"},
		{checks.Busy, checks.Greeting, "192.0.2.0/24"},
		{checks.TLSError, checks.TLS, "198.51.100.0/24"},
	})
	want := Evidence{
		Class: checks.Busy, Phase: checks.Greeting, Networks: []string{"192.0.2.0/24", "198.51.100.0/24", "2001:db8::/48"},
		Ways: []Way{
			{checks.Greeting, checks.Busy, 2}, {checks.TLS, checks.Closed, 1}, {checks.TLS, checks.TLSError, 1}, {checks.TLS, checks.TLSTimeout, 1},
		},
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var one Evidence
	if one.blame([]how{{checks.Busy, checks.Greeting, ""}, {checks.Busy, checks.Greeting, ""}}); one.Ways != nil {
		t.Errorf("all failed in one way: got %+v beside it", one.Ways)
	}
}

// A series that goes down too often is to blame on what the last of its Downs is.
func TestFallsBlameTheLastDown(t *testing.T) {
	down := Evidence{Class: checks.Busy, Phase: checks.Greeting, Networks: []string{"192.0.2.0/24"}, Ways: []Way{{checks.Greeting, checks.Busy, 3}, {checks.TLS, checks.Closed, 1}}}
	got := byFalls(half, time.Hour, down)
	want := down
	want.Part, want.Figures = ByFalls, got.Figures
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestChangesByHandSaySo(t *testing.T) {
	for name, change := range map[string]func(*Panel) []Change{
		"no rule any more": func(p *Panel) []Change { return p.SetRules(start, Rules{}) },
		"a wrong clock":    func(p *Panel) []Change { return p.Restart(start, "wrong clock") },
	} {
		p := NewPanel(Rules{"imap": {Interval: time.Minute, MinProbes: 1}})
		p.Observe(start, anySeries, Result{Probe: "a", Seq: 1, Ended: start, Outcome: checks.Up})
		if got := change(p); len(got) != 1 || !cmp.Equal(got[0].Evidence, Evidence{Part: ByHand}) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// The start of a probe's failures is remembered as long as they last, however long
// its region is down, and through a rest.
func TestAStreakIsRememberedExactly(t *testing.T) {
	var g region
	g.look(61, nil)
	g.look(1000, always)
	b, err := json.Marshal(g.j)
	if err != nil {
		t.Fatal(err)
	}
	var rested Judge
	if err := json.Unmarshal(b, &rested); err != nil {
		t.Fatal(err)
	}
	for i, w := range rested.Evidence(half, g.at).Probes {
		want := start.Add(time.Duration([]int{630, 610, 620}[i])*time.Second - 100*time.Millisecond)
		if !w.Since.Equal(want) {
			t.Errorf("%s fails since %s, want %s", w.Probe, seconds(w.Since), seconds(want))
		}
	}
	g.look(30, nil)
	if len(g.j.streaks) != 0 {
		t.Errorf("well again: %d streaks are left", len(g.j.streaks))
	}
}

// A good probe of which nothing else is remembered has no start.
func TestWhatIsNotRememberedHasNoStart(t *testing.T) {
	var g region
	g.look(61, nil)
	for _, w := range g.j.Evidence(half, g.at).Probes {
		if !w.Since.IsZero() || w.Outcome != checks.Up {
			t.Errorf("got %+v", w)
		}
	}
}

// Of every change the evidence has a part, the probes that are counted, and figures
// that can be written; a probe that fails does so since the first of the results in
// a row that say so, as far as it was never silent.
func TestEvidenceAgainstTheWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		for _, c := range judgeAll(rule, rs) {
			e := c.Evidence
			var n Counts
			for _, w := range e.Probes {
				switch w.Outcome {
				case checks.Up:
					n.Up++
				case checks.Down:
					n.Down++
					mustFailSince(t, rs, c, w)
				default:
					n.Unknown++
				}
			}
			if e.Part == "" || n != c.Counts || len(e.Figures) == 0 {
				t.Fatalf("%s: evidence %+v, counts %+v", c.To, e, c.Counts)
			}
			b, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var back Evidence
			if err := json.Unmarshal(b, &back); err != nil || !cmp.Equal(e, back) {
				t.Fatalf("comes back as %+v, %v", back, err)
			}
		}
	})
}

// mustFailSince wants a failure that began when the witness says, after which that
// probe was not good until the change. Of results that ended at that very time the
// judge may not have had all.
func mustFailSince(t *rapid.T, rs []Result, c Change, w Witness) {
	rs = slices.SortedFunc(slices.Values(rs), Result.Compare)
	failing, ok := false, false
	for _, r := range rs {
		if r.Ended.After(c.At) {
			break
		}
		if r.Probe == w.Probe && r.votes() {
			failing = r.failed() && (failing || r.Started.Equal(w.Since))
		}
		ok = failing || ok && r.Ended.Equal(c.At)
	}
	if !ok {
		t.Fatalf("%s fails since %s, which is not so", w.Probe, seconds(w.Since))
	}
}
