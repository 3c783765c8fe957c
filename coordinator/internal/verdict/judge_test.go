package verdict

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"varde/checks"
)

var start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// script is a list of events "SECONDS PROBE up|down|late|unknown" and "SECONDS -",
// which only moves the clock. A run takes a tenth of a second.
func play(t testing.TB, rule Rule, script string) (*Judge, []string) {
	t.Helper()
	var j Judge
	var got []string
	for _, c := range j.play(t, rule, script) {
		got = append(got, describe(c))
	}
	return &j, got
}

func playAll(t *testing.T, rule Rule, script string) []Change {
	t.Helper()
	var j Judge
	return j.play(t, rule, script)
}

func (j *Judge) play(t testing.TB, rule Rule, script string) (all []Change) {
	t.Helper()
	for i, line := range strings.Split(strings.TrimSpace(script), "\n") {
		f := strings.Fields(line)
		d, err := time.ParseDuration(f[0] + "s")
		if err != nil {
			t.Fatal(err)
		}
		at := start.Add(d)
		var changes []Change
		if f[1] == "-" {
			changes = j.Advance(rule, at)
		} else {
			changes = j.Observe(rule, at, result(t, f, at, uint64(i+1)))
		}
		all = append(all, changes...)
	}
	return all
}

func result(t testing.TB, f []string, at time.Time, seq uint64) Result {
	t.Helper()
	r := Result{Probe: f[1], Epoch: "e", Seq: seq, Started: at.Add(-100 * time.Millisecond), Ended: at, Scheduled: true, Login: true}
	if f[2] == "late" {
		r.Outcome, r.Class = checks.Down, checks.Late
		return r
	}
	if err := r.Outcome.UnmarshalText([]byte(f[2])); err != nil {
		t.Fatal(err)
	}
	switch r.Outcome {
	case checks.Down:
		r.Class = checks.ConnectTimeout
	case checks.Unknown:
		r.Class = checks.OwnNetwork
	}
	return r
}

func describe(c Change) string {
	return fmt.Sprintf("%s %s since %s (%d/%d/%d)", seconds(c.At), c.To, seconds(c.Since), c.Counts.Up, c.Counts.Down, c.Counts.Unknown)
}

func seconds(t time.Time) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", t.Sub(start).Seconds()), ".0")
}

// three is a region of three probes that look every 10 s in turn.
const three = `
0 a up
10 b up
20 c up
30 a up
`

func TestJudge(t *testing.T) {
	half := Rule{Interval: 30 * time.Second, MinProbes: 2}
	alone := Rule{Interval: 30 * time.Second, MinProbes: 1}
	for _, tc := range []struct {
		name   string
		rule   Rule
		script string
		want   []string
	}{
		{"up as soon as the quorum is good", half, "0 a up\n10 b up\n20 c up", []string{"10 up since 10 (2/0/0)"}},
		{"one probe is no quorum", half, "0 a up\n30 a up\n60 a up", nil},
		{
			"three probes and one confirmation make four failures", half,
			three + "40 b down\n40.25 b down\n40.3 a down\n40.4 c down",
			[]string{"10 up since 10 (2/0/0)", "40.4 down since 39.9 (0/3/0)"},
		},
		{
			"three failures of three probes are not four", half,
			three + "40 b down\n50 c down\n60 a down",
			[]string{"10 up since 10 (2/0/0)"},
		},
		{
			"staggered probes without confirmation take four turns", half,
			three + "40 b down\n50 c down\n60 a down\n70 b down",
			[]string{"10 up since 10 (2/0/0)", "70 down since 39.9 (0/3/0)"},
		},
		{
			"four failures of one probe alone change nothing", half,
			three + "40 b down\n40.2 b down\n40.4 b down\n40.6 b down",
			[]string{"10 up since 10 (2/0/0)"},
		},
		{
			"two of four probes are not two thirds", half,
			"0 a up\n5 b up\n10 c up\n15 d up\n30 a down\n30.2 a down\n35 b down\n35.2 b down",
			[]string{"5 up since 5 (2/0/0)"},
		},
		{
			"two of three probes are two thirds", half,
			three + "40 b down\n40.2 b down\n40.3 a down\n40.4 a down",
			[]string{"10 up since 10 (2/0/0)", "40.4 down since 39.9 (1/2/0)"},
		},
		{
			"a region of two probes needs three", half,
			"0 a up\n15 b up\n30 a down\n30.2 a down\n30.3 b down",
			[]string{"15 up since 15 (2/0/0)", "30.3 down since 29.9 (0/2/0)"},
		},
		{
			"a good result between failures starts the count again", half,
			three + "40 b down\n50 c down\n60 a up\n70 b down\n80 c down\n90 a down\n100 b down",
			[]string{"10 up since 10 (2/0/0)", "100 down since 69.9 (0/3/0)"},
		},
		{
			"down ends with the third good result", half,
			three + "40 b down\n40.2 b down\n40.3 a down\n40.4 c down\n70 b up\n80 c up\n90 a up",
			[]string{"10 up since 10 (2/0/0)", "40.4 down since 39.9 (0/3/0)", "90 up since 90 (3/0/0)"},
		},
		{
			"three good results of one probe do not end it", half,
			three + "40 b down\n40.2 b down\n40.3 a down\n40.4 c down\n41 b up\n42 b up\n43 b up\n44 a up",
			[]string{"10 up since 10 (2/0/0)", "40.4 down since 39.9 (0/3/0)", "44 up since 44 (2/1/0)"},
		},
		{
			"a result of exactly two intervals still counts", half,
			"0 a up\n10 b up\n60 -",
			[]string{"10 up since 10 (2/0/0)"},
		},
		{
			"the quorum is lost at the second it happened, however late one looks", half,
			"0 a up\n10 b up\n500 -",
			[]string{"10 up since 10 (2/0/0)", "60 unknown since 60 (1/0/0)"},
		},
		{
			"a result that comes after the loss tells of it first", half,
			"0 a up\n10 b up\n60.5 a up\n65 b up",
			[]string{"10 up since 10 (2/0/0)", "60 unknown since 60 (1/0/0)", "60.5 up since 60.5 (2/0/0)"},
		},
		{
			"down is lost with the quorum too", half,
			three + "40 b down\n40.2 b down\n40.3 a down\n40.4 c down\n200 -",
			[]string{"10 up since 10 (2/0/0)", "40.4 down since 39.9 (0/3/0)", "100.3 unknown since 100.3 (0/1/0)"},
		},
		{
			"two probes that fail from the start are never up", half,
			"0 a down\n10 b down\n30 a down",
			[]string{"30 down since -0.1 (0/2/0)"},
		},
		{
			"two of three that fail from the start are not up", half,
			"0 a down\n10 b down\n20 c up\n30 a down\n40 b down\n50 c up",
			nil,
		},
		{
			"a tie is decided when the run is full", half,
			"0 a up\n15 b down\n30 a up",
			[]string{"30 up since 30 (1/1/0)"},
		},
		{
			"unknown results do not vote and are no quorum", half,
			"0 a up\n10 b unknown\n20 c unknown\n30 b up",
			[]string{"30 up since 30 (2/0/1)"},
		},
		{
			"unknown results between failures do not break the run", half,
			three + "40 b down\n41 a unknown\n50 c down\n60 a down\n61 c unknown\n70 b down",
			[]string{"10 up since 10 (2/0/0)", "70 down since 39.9 (0/3/0)"},
		},
		{
			"a single probe needs four, its confirmations included", alone,
			"0 a up\n30 a down\n30.2 a down\n60 a down\n60.2 a down",
			[]string{"0 up since 0 (1/0/0)", "60.2 down since 29.9 (0/1/0)"},
		},
		{
			"a single probe goes down and up by scheduled runs alone", alone,
			"0 a up\n30 a down\n60.3 a down\n90 a down\n120.4 a down\n150 a up\n180.4 a up\n210 a up",
			[]string{"0 up since 0 (1/0/0)", "120.4 down since 29.9 (0/1/0)", "210 up since 210 (1/0/0)"},
		},
		{
			"late mail is slow, since the first that was late", half,
			three + "40 b late\n50 c late\n60 a late\n70 b late",
			[]string{"10 up since 10 (2/0/0)", "70 slow since 39.9 (0/3/0)"},
		},
		{
			"late in one probe alone changes nothing", half,
			three + "40 b late\n40.2 b late\n41 b late\n42 b late\n43 a up",
			[]string{"10 up since 10 (2/0/0)"},
		},
		{
			"slow ends with the third good result", half,
			three + "40 b late\n50 c late\n60 a late\n70 b late\n80 c up\n90 a up\n100 b up",
			[]string{"10 up since 10 (2/0/0)", "70 slow since 39.9 (0/3/0)", "100 up since 100 (3/0/0)"},
		},
		{
			"a failure among late mail does not make it down", half,
			three + "40 b late\n50 c down\n60 a late\n70 b late\n80 c late\n90 a down\n100 b late",
			[]string{"10 up since 10 (2/0/0)", "70 slow since 39.9 (0/3/0)"},
		},
		{
			"late mail that can be sent no more is down, since then", half,
			three + "40 b late\n50 c late\n60 a late\n70 b late\n80 c down\n90 a down\n100 b down\n110 c down",
			[]string{"10 up since 10 (2/0/0)", "70 slow since 39.9 (0/3/0)", "110 down since 79.9 (0/3/0)"},
		},
		{
			"down that becomes late is slow", half,
			three + "40 b down\n40.2 b down\n40.3 a down\n40.4 c down\n70 b late\n80 c late\n90 a late\n100 b up\n110 c up\n120 a up",
			[]string{"10 up since 10 (2/0/0)", "40.4 down since 39.9 (0/3/0)", "90 slow since 90 (0/3/0)", "120 up since 120 (3/0/0)"},
		},
		{
			"down that becomes good, one of three late, is up", half,
			three + "40 b down\n40.2 b down\n40.3 a down\n40.4 c down\n70 b up\n80 c late\n90 a up",
			[]string{"10 up since 10 (2/0/0)", "40.4 down since 39.9 (0/3/0)", "90 up since 90 (2/1/0)"},
		},
		{
			"late from the start is never up", half,
			"0 a late\n10 b late\n30 a late",
			[]string{"30 slow since -0.1 (0/2/0)"},
		},
		{
			"a single probe is late alone", alone,
			"0 a up\n30 a late\n60 a late\n90 a late\n120 a late",
			[]string{"0 up since 0 (1/0/0)", "120 slow since 29.9 (0/1/0)"},
		},
		{
			"a second probe makes two necessary where one would do", alone,
			"0 a up\n5 b up\n30 a down\n30.2 a down\n30.4 a down\n30.6 a down\n31 b down",
			[]string{"0 up since 0 (1/0/0)", "31 down since 29.9 (0/2/0)"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, got := play(t, tc.rule, tc.script); !cmp.Equal(got, tc.want) {
				t.Errorf("changes differ (-want +got):\n%s", cmp.Diff(tc.want, got))
			}
		})
	}
}

func TestReasons(t *testing.T) {
	rule := Rule{Interval: 30 * time.Second, MinProbes: 2}
	for _, c := range []struct{ name, script, want string }{
		{"down", three + "40 b down\n45 c down\n50 a down\n61 b down", "connect_timeout, 3 of 3 probes, 21 s after the first failure"},
		{"late", three + "40 b late\n45 c late\n50 a late\n61 b late", "mail is late, 3 of 3 probes, 21 s after the first failure"},
		{"late and broken", three + "40 b late\n45 c down\n50 a late\n61 b late", "mail is late or fails (connect_timeout), 3 of 3 probes, 21 s after the first failure"},
		{"late no more than that", three + "40 b down\n40.2 b down\n40.3 a down\n40.4 c down\n70 b late\n80 c late\n90 a late", "nothing fails any more, mail is late, 3 of 3 probes"},
		{"late in part", three + "40 b down\n40.2 b down\n40.3 a down\n40.4 c down\n70 b up\n80 c late\n90 a up", "2 of 3 results in a row good, the others late, from 3 probes"},
		{"up", "0 a up\n1 b up", "2 of 2 probes good"},
		{"a lost quorum", "0 a up\n1 b up\n60.5 -", "1 probe with a current result, 2 needed"},
		{"no probe any more", "0 a up\n1 b up\n300 -", "0 probes with a current result, 2 needed"},
		{"a region with one probe", "0 a up\n30 a up", "1 probe with a current result, 2 needed"},
		{"too few results", "0 a up\n1 b down", "2 probes with a current result, too few results for a verdict"},
		{"probes that cannot tell", "0 a up\n1 b up\n30 a unknown\n31 b unknown\n60 a unknown\n61 b unknown\n62 -", "0 probes with a current result, 2 needed; 2 probes cannot tell: own_network"},
		{"one that cannot tell", "0 a up\n1 b unknown", "1 probe with a current result, 2 needed; 1 probe cannot tell: own_network"},
	} {
		j, _ := play(t, rule, c.script)
		if got := j.Reason(rule, j.clock); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// A result that arrives late takes its place by its end, and one that is too old
// when it arrives does not count.
func TestOutOfOrder(t *testing.T) {
	rule := Rule{Interval: 30 * time.Second, MinProbes: 2}
	j, _ := play(t, rule, three+"40 b down\n40.2 b down\n41 c down")
	late := func(ended float64, seq uint64) Result {
		at := start.Add(time.Duration(ended * float64(time.Second)))
		return Result{Probe: "a", Seq: seq, Started: at, Ended: at, Outcome: checks.Down, Class: checks.Busy}
	}
	clone := j.Clone()
	if got := clone.Observe(rule, start.Add(500*time.Second), late(40.5, 90)); len(got) != 1 || got[0].To != Unknown {
		t.Errorf("result of 460 s ago: got %v, want the lost quorum only", got)
	}
	got := j.Observe(rule, start.Add(43*time.Second), late(40.5, 91))
	if len(got) != 1 || got[0].To != Down || got[0].At != start.Add(43*time.Second) {
		t.Errorf("result of 2.5 s ago: got %v, want down, judged when it came", got)
	}
	if again := j.Observe(rule, start.Add(44*time.Second), late(40.5, 91)); again != nil {
		t.Errorf("the same result again: got %v, want nothing", again)
	}
}

func TestJudgeAtRest(t *testing.T) {
	rule := Rule{Interval: 30 * time.Second, MinProbes: 2}
	j, _ := play(t, rule, three+"40 b late\n41 a unknown\n50 c down")
	b, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	var back Judge
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*j, back, wholeJudge, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("judge differs after a rest (-before +after):\n%s", diff)
	}
}

// What a former version kept is read, and judged on: a Down that it knew of ends
// without making the series intermittent.
func TestFormerJudge(t *testing.T) {
	const former = `{"state":"down","since":1795341600000000000,"reason":"busy, 2 of 2 probes, 30 s after the first failure",
		"clock":1795341630000000000,"failing":1795341600000000000,"window":[
		{"p":"a","e":"e1","n":7,"s":1795341600000000000,"t":1795341600100000000,"i":30000000000,"o":"down","c":"busy"},
		{"p":"b","e":"e2","n":9,"s":1795341615000000000,"t":1795341615100000000,"i":30000000000,"o":"down","c":"busy"}]}`
	var j Judge
	if err := json.Unmarshal([]byte(former), &j); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1795341630, 0).UTC()
	if got := j.Reason(half, at); j.State() != Down || !strings.HasPrefix(got, "busy, 2 of 2") || j.Counts(half, at) != (Counts{Down: 2}) {
		t.Errorf("got %s: %s, %+v", j.State(), got, j.Counts(half, at))
	}
	for i := range 3 {
		r := result(t, []string{"", string(rune('a' + i%2)), "up"}, at.Add(time.Duration(i)*15*time.Second), uint64(20+i))
		j.Observe(half, r.Ended, r)
	}
	if j.State() != Up || !j.fell.IsZero() {
		t.Errorf("after three good results: got %s, down since %s", j.State(), j.fell)
	}
}

// What is damaged is refused and not taken in part.
func TestDamagedJudge(t *testing.T) {
	for _, text := range []string{
		`{"state":"intermittent"}`,
		`{"state":"up","results":"AAAA"}`,
		`{"state":"up","names":["a"],"trials":"AgIC"}`,
		`{"state":"up","window":[{"t":2},{"t":2}]}`,
		`{"state":"up","usual":{"closed":[100000]}}`,
		`{"state":"up","usual":{"open":"AgAC"}}`,
		`{"state":"up","falls":[` + strings.Repeat("1,", MaxFalls) + `1]}`,
		`{"state":"up","streaks":"AAAC"}`,
		`{"state":"up","names":["a","b"],"streaks":"AgIAAg=="}`,
	} {
		j := Judge{base: Up}
		if err := json.Unmarshal([]byte(text), &j); err == nil || j.base != Up || j.window != nil {
			t.Errorf("%s: got error %v", text, err)
		}
	}
}

func TestStateText(t *testing.T) {
	for s := range State(States) {
		var back State
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s {
			t.Errorf("%s: got %s, %v", s, back, err)
		}
	}
	var s State
	if err := s.UnmarshalText([]byte("green")); err == nil {
		t.Error("state \"green\" was accepted")
	}
	if _, err := State(9).MarshalText(); err == nil {
		t.Error("state 9 was written")
	}
}

func FuzzJudgeAtRest(f *testing.F) {
	f.Add([]byte(`{"state":"up","clock":5,"window":[{"p":"a","n":1,"s":1,"t":2,"o":"up"}]}`))
	f.Add([]byte(`{"state":"slow","failing":3,"broken":0}`))
	f.Add([]byte(`{"state":"down","window":[{"t":2},{"t":1}]}`))
	for _, script := range []string{three + "40 b late\n41 a unknown\n50 c down", three + "40 b down\n40.2 b down\n40.3 a down\n40.4 c down"} {
		j, _ := play(f, half, script)
		b, err := json.Marshal(j)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var j Judge
		if json.Unmarshal(b, &j) != nil {
			return
		}
		rule := Rule{Interval: time.Second, MinProbes: 1}
		j.Observe(rule, start, Result{Probe: "p", Ended: start, Outcome: checks.Up})
		if _, err := json.Marshal(j); err != nil {
			t.Errorf("a judge that was read cannot be written: %v", err)
		}
	})
}
