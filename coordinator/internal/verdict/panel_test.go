package verdict

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"varde/checks"
)

// A panel that is fed in order says of each series what Final says of it alone,
// however often it is told the time in between.
func TestPanelIsFinalInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := results().Draw(t, "results")
		rules := Rules{"a": rules().Draw(t, "rule a"), "b": rules().Draw(t, "rule b")}
		bySeries := map[Series][]Result{}
		panel, end := NewPanel(rules), start.Add(4*time.Hour)
		got := map[Series][]Change{}
		add := func(changes []Change) {
			for _, c := range changes {
				got[c.Series] = append(got[c.Series], c)
			}
		}
		slices.SortFunc(rs, Result.Compare)
		for _, r := range rs {
			s := Series{Check: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "check"), Region: "r", Family: checks.IPv6}
			bySeries[s] = append(bySeries[s], r)
			if rapid.Bool().Draw(t, "advance") {
				add(panel.Advance(r.Ended))
			}
			add(panel.Observe(r.Ended, s, r))
		}
		add(panel.Advance(end))
		for s, rs := range bySeries {
			_, want := Final(s, rules[s.Check], Judge{}, rs, end)
			if diff := cmp.Diff(want, got[s]); diff != "" {
				t.Fatalf("%s (-final +panel):\n%s", s, diff)
			}
		}
	})
}

func TestPanelAdvancesAllSeriesInOrder(t *testing.T) {
	p := NewPanel(Rules{"x": {Interval: 30 * time.Second, MinProbes: 1}, "y": {Interval: 10 * time.Second, MinProbes: 1}})
	for i, check := range []string{"x", "y"} {
		p.Observe(start, Series{Check: check, Region: "r"}, Result{Probe: "a", Seq: uint64(i), Ended: start, Outcome: checks.Up})
	}
	var got []string
	for _, c := range p.Advance(start.Add(time.Hour)) {
		got = append(got, c.Series.Check+" "+describe(c))
	}
	want := []string{"y 20 unknown since 20 (0/0/0)", "x 60 unknown since 60 (0/0/0)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes differ (-want +got):\n%s", diff)
	}
}

func TestPanelForgetsChecksWithoutRule(t *testing.T) {
	p := NewPanel(Rules{"x": {Interval: time.Minute, MinProbes: 1}})
	s := Series{Check: "x", Region: "r", Family: checks.IPv4}
	r := Result{Probe: "a", Seq: 1, Ended: start, Outcome: checks.Up}
	if got := p.Observe(start, Series{Check: "other", Region: "r"}, r); got != nil {
		t.Errorf("check without a rule: got %v, want nothing", got)
	}
	p.Observe(start, s, r)
	got := p.SetRules(start.Add(time.Second), Rules{})
	if len(got) != 1 || got[0].To != Unknown || got[0].Series != s {
		t.Errorf("rule taken away: got %v, want one change to unknown", got)
	}
	if p.Judge(s) != nil {
		t.Error("the series is still there")
	}
}

// A check that is looked at more often from now on keeps its verdict: what was
// observed before counts for as long as it was said to. Once the probes look more
// often, their silence is noticed sooner.
func TestPanelWithAShorterInterval(t *testing.T) {
	p := NewPanel(Rules{"imap": {Interval: 5 * time.Minute, MinProbes: 2}})
	at, seq := start, uint64(0)
	observe := func(every time.Duration) (changes []Change) {
		seq++
		r := Result{Probe: string(rune('a' + seq%3)), Seq: seq, Started: at, Ended: at, Every: every, Outcome: checks.Up}
		return p.Observe(at, anySeries, r)
	}
	for range 9 { // evenly, a result every 100 s
		observe(5 * time.Minute)
		at = at.Add(100 * time.Second)
	}
	p.SetRules(at, Rules{"imap": {Interval: 30 * time.Second, MinProbes: 2}})
	changes := p.Advance(at)
	for range 6 {
		at = at.Add(10 * time.Second)
		changes = append(changes, append(p.Advance(at), observe(30*time.Second)...)...)
	}
	if len(changes) > 0 {
		t.Errorf("while all is well: got %v, want nothing", changes)
	}
	if changes = p.Advance(at.Add(50 * time.Second)); len(changes) > 0 {
		t.Errorf("50 s of silence: got %v, want nothing", changes)
	}
	changes = p.Advance(at.Add(51 * time.Second))
	if len(changes) != 1 || changes[0].To != Unknown || !changes[0].At.Equal(at.Add(50*time.Second)) {
		t.Errorf("51 s of silence: got %v, want unknown after 50 s", changes)
	}
}

// A panel whose clock was wrong begins anew at the right time, and loses a quorum
// at the instant at which it does by that.
func TestPanelThatBeginsAnew(t *testing.T) {
	p := NewPanel(Rules{"x": {Interval: 30 * time.Second, MinProbes: 1}})
	s, ahead := Series{Check: "x", Region: "r"}, start.Add(24*time.Hour)
	p.Observe(ahead, s, Result{Probe: "a", Seq: 1, Ended: ahead, Outcome: checks.Up})
	var got []string
	add := func(changes []Change) {
		for _, c := range changes {
			got = append(got, c.Series.Check+" "+describe(c))
		}
	}
	add(p.Restart(start, "wrong clock"))
	add(p.Observe(start.Add(time.Second), s, Result{Probe: "a", Seq: 2, Ended: start.Add(time.Second), Outcome: checks.Up}))
	add(p.Advance(start.Add(time.Hour)))
	want := []string{"x 0 unknown since 0 (0/0/0)", "x 1 up since 1 (1/0/0)", "x 61 unknown since 61 (0/0/0)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes differ (-want +got):\n%s", diff)
	}
	if at := p.Clock(); !at.Equal(start.Add(time.Hour)) {
		t.Errorf("clock: got %v", at)
	}
}

// A panel put together from judges that were kept goes on as if nothing had
// been.
func TestPanelRestored(t *testing.T) {
	rules := Rules{"x": {Interval: 30 * time.Second, MinProbes: 1}}
	s := Series{Check: "x", Region: "r", Family: checks.IPv4}
	p := NewPanel(rules)
	p.Observe(start, s, Result{Probe: "a", Seq: 1, Ended: start, Outcome: checks.Up})
	again := NewPanel(rules)
	for s, j := range p.All() {
		again.Restore(s, j.Clone())
	}
	if got := again.Advance(start.Add(30 * time.Second)); got != nil {
		t.Errorf("30 s later: got %v, want nothing", got)
	}
	got := again.Advance(start.Add(2 * time.Minute))
	if len(got) != 1 || !got[0].At.Equal(start.Add(time.Minute)) {
		t.Errorf("2 min later: got %v, want unknown at 1 min", got)
	}
}

func BenchmarkObserve(b *testing.B) {
	rule := Rule{Interval: 30 * time.Second, MinProbes: 2}
	var j Judge
	at, n, names := start, uint64(0), []string{"oslo-1", "oslo-2", "bergen-1"}
	b.ReportAllocs()
	for b.Loop() {
		at, n = at.Add(10*time.Second), n+1
		j.Observe(rule, at, Result{
			Probe: names[n%3], Epoch: "20261122-1", Seq: n, Started: at, Ended: at, Outcome: checks.Up, Scheduled: true, Elapsed: time.Second,
			Phase: checks.TLS, Network: "192.0.2.0/24",
		})
	}
}

// BenchmarkRest is what a judge of three probes costs that is written and read.
func BenchmarkRest(b *testing.B) {
	var g region
	g.look(600, nil)
	for b.Loop() {
		text, err := json.Marshal(g.j)
		if err != nil {
			b.Fatal(err)
		}
		var j Judge
		if err := json.Unmarshal(text, &j); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(text)), "bytes")
	}
}

// BenchmarkToldAndFinal is what one observation costs that is judged as it arrives
// and once more with its hour, over 60 series of three probes each.
func BenchmarkToldAndFinal(b *testing.B) {
	const series, runs = 60, 360
	rules, names := Rules{}, []string{"oslo-1", "oslo-2", "bergen-1"}
	all := make([]Series, series)
	for i := range all {
		all[i] = Series{Check: "imap-login-" + string(rune('a'+i%20)), Region: "eu-north-" + string(rune('a'+i/20)), Family: checks.IPv4}
		rules[all[i].Check] = half
	}
	p, finals, sets := NewPanel(rules), make(map[Series]Judge, series), make(map[Series][]Result, series)
	at, n := start, uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		n++
		s := all[n%series]
		if n%series == 0 {
			at = at.Add(10 * time.Second)
		}
		ended := at.Add(time.Duration(n%3) * time.Second)
		r := Result{
			Probe: names[n/series%3], Epoch: "20261122-1", Seq: n, Started: at, Ended: ended, Outcome: checks.Up, Scheduled: true,
			Elapsed: 100 * time.Millisecond, Phase: checks.TLS, Network: "192.0.2.0/24",
		}
		p.Advance(ended)
		p.Observe(ended, s, r)
		if sets[s] = append(sets[s], r); len(sets[s]) == runs {
			finals[s], _ = Final(s, half, finals[s], sets[s], time.Time{})
			sets[s] = sets[s][:0]
		}
	}
}
