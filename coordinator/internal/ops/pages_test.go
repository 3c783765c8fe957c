package ops

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

func TestPagesGolden(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, smaller(), nil)
		for name, path := range map[string]string{
			"overview.html": "/", "check.html": "/check/imap-login?range=1h", "probes.html": "/probes", "probe.html": "/probe/mel-1", "missing.html": "/nowhere",
		} {
			goldenPage(t, name, get(s, path).Body.Bytes())
		}
	})
}

func TestOverviewSaysWhatIsWrong(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake(), nil)
		now := newFake().now
		v := shown(t, s, now, usualFilter())
		if v.Headline != "37 of 45 verdicts up. Trouble in Oceania, Eastern US and Central Europe." {
			t.Errorf("got %q", v.Headline)
		}
		if len(v.Troubles) != 4 {
			t.Fatalf("got %d troubles, want 4", len(v.Troubles))
		}
		first := v.Troubles[0]
		if first.Title != "Oceania: IMAP and Outgoing mail down" || first.Probes != "3 of 3 probes fail" || first.Families != "IPv4 and IPv6" || len(first.Checks) != 4 || first.Since != "07:42:10 UTC, 2 h 38 min ago" {
			t.Errorf("got %+v", first)
		}
		if first.Elsewhere != "The same is up in Central Europe, Eastern US, Northern Europe and Southeast Asia." {
			t.Errorf("got %q", first.Elsewhere)
		}
		if v.Presence != "13 of 14 connected. Silent: kul-1. Not fit to judge: fra-2. Through another probe: mel-1." {
			t.Errorf("got %q", v.Presence)
		}
		if len(v.Changes) != 6 || len(v.Changes[3].Checks) != 4 {
			t.Errorf("got %d lines of changes, want 6, the fourth of four checks: %+v", len(v.Changes), v.Changes)
		}
	})
}

// Where nobody chose a range, a young check is not drawn as a sliver of a day.
func TestUsualSpan(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, c := range []struct {
			age  time.Duration
			want string
		}{
			{0, "1h"},
			{20 * time.Minute, "1h"},
			{59 * time.Minute, "1h"},
			{61 * time.Minute, "24h"},
			{400 * 24 * time.Hour, "24h"},
		} {
			f := newFake()
			f.began = morning.Add(-c.age).Truncate(time.Minute)
			s := newServer(t, f, nil)
			if body := get(s, "/check/imap-login").Body.String(); !strings.Contains(body, `aria-current="true">`+c.want+`</a>`) {
				t.Errorf("a check of %s is not shown over %s", c.age, c.want)
			}
			if body := get(s, "/check/imap-login?range=7d").Body.String(); !strings.Contains(body, `aria-current="true">7d</a>`) {
				t.Errorf("a check of %s is not shown over the range that was chosen", c.age)
			}
		}
		if got := usualSpan(time.Time{}, morning); got.name != "1h" {
			t.Errorf("a check that never was: got %s, want 1h", got.name)
		}
	})
}

// A check is said to be made over the families that it is made over.
func TestFamiliesOf(t *testing.T) {
	now := newFake().now
	one := slices.DeleteFunc(slices.Clone(now.Verdicts), func(v Verdict) bool { return v.Check == "dav" && v.Family == checks.IPv6 })
	for _, c := range []struct {
		name     string
		target   checks.Target
		verdicts []Verdict
		want     string
	}{
		{"both are seen", checks.Target{ID: "dav"}, now.Verdicts, "IPv4 and IPv6"},
		{"one is seen", checks.Target{ID: "dav"}, one, "IPv4"},
		{"none is seen yet", checks.Target{ID: "new"}, now.Verdicts, "IPv4 and IPv6"},
		{"one is configured", checks.Target{ID: "dav", Families: []checks.Family{checks.IPv6}}, now.Verdicts, "IPv6"},
	} {
		if got := familyWords(Now{Verdicts: c.verdicts}.familiesOf(c.target)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// What a probe holds of itself is said as it is, also when it says nothing, and not of one that is silent.
func TestFitness(t *testing.T) {
	now := newFake().now
	of := func(name string) Probe {
		return now.Probes[slices.IndexFunc(now.Probes, func(p Probe) bool { return p.Name == name })]
	}
	for name, want := range map[string]probeView{
		"osl-1": {Fit: "yes"},
		"osl-2": {Fit: "not judged"},
		"fra-2": {Fit: "no", Sick: true, Trouble: "not fit to judge; 0 of 3 controls answer over ipv4", Notice: "0 of 3 controls answer over ipv4"},
		"kul-1": {Sick: true, Trouble: "silent"},
		"mel-1": {Fit: "not judged", Through: "akl-1", Trouble: "through akl-1"},
		"akl-1": {Fit: "not judged", Trouble: "UDP is blocked; lost 1,204 records", Notice: "UDP is blocked; lost 1,204 records"},
	} {
		v := now.probeView(of(name))
		if got := (probeView{Fit: v.Fit, Sick: v.Sick, Through: v.Through, Trouble: v.Trouble, Notice: v.Notice}); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	unfit := of("fra-2")
	unfit.Reason = ""
	if v := now.probeView(unfit); v.Trouble != "not fit to judge" {
		t.Errorf("unfit without a word: got %q", v.Trouble)
	}
	if eu, asia := now.measuring("eu-central"), now.measuring("asia-se"); eu != 2 || asia != 1 {
		t.Errorf("measuring: got %d and %d, want 2 of 3, and 1 of 2", eu, asia)
	}
}

func TestEmptyFleet(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		f.now = Now{At: morning, Coordinator: "c1"}
		s := newServer(t, f, nil)
		for path, want := range map[string]string{"/": "There is no verdict yet.", "/probes": "0 of 0 connected."} {
			if w := get(s, path); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: got %d without %q", path, w.Code, want)
			}
		}
	})
}

func TestWorstOf(t *testing.T) {
	at := func(minutes int) time.Time { return morning.Add(time.Duration(-minutes) * time.Minute) }
	four := Verdict{Series: verdict.Series{Family: checks.IPv4}, State: verdict.Up, Since: at(90)}
	six := Verdict{Series: verdict.Series{Family: checks.IPv6}, State: verdict.Down, Since: at(5), Reason: "no answer"}
	w := worstOf([]Verdict{four, six})
	if w.state != verdict.Down || !w.since.Equal(at(5)) || !w.mixed || w.reason != "no answer" || len(w.families) != 1 || w.families[0] != checks.IPv6 {
		t.Errorf("got %+v", w)
	}
	six.State, six.Since = verdict.Up, at(200)
	if w := worstOf([]Verdict{four, six}); w.mixed || !w.since.Equal(at(200)) {
		t.Errorf("got %+v", w)
	}
}

func TestOneObservation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		s := newServer(t, f, nil)
		w := get(s, "/check/imap-login?probe=mel-1&epoch=0192f3a1c2d4-9b1c&seq="+seqOf(f, "mel-1"))
		body := w.Body.String()
		for _, want := range []string{"mel-1 (Oceania)", "<code>connect_timeout</code>", "no answer to SYN within 4 s", "The last run from here that worked", "select: not reached", "connect: failed after 4,000 ms"} {
			if !strings.Contains(body, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		if n := strings.Count(body, `<tr aria-current="true">`); n != 1 {
			t.Errorf("%d lines of the list are marked, want 1", n)
		}
		if body := get(s, "/check/imap-login?probe=mel-1&epoch=x&seq=1").Body.String(); !strings.Contains(body, "The journal does not hold that one any more.") || strings.Contains(body, "aria-current=\"true\"><td>") {
			t.Error("an observation that is gone is not said to be, or another is shown for it")
		}
		for path, want := range map[string]int{
			"/check/nothing": 404, "/check/imap-login?range=3d": 400, "/check/imap-login?seq=x": 400, "/check/imap-login?outcome=odd": 400, "/check/imap-login?probe=..": 400,
			"/check/imap-login?probe=mel-1&seq=1": 200, "/check/imap-login?outcome=down": 200, "/check/imap-login?range=1y": 200,
		} {
			if w := get(s, path); w.Code != want {
				t.Errorf("%s: got %d, want %d", path, w.Code, want)
			}
		}
	})
}

// seqOf is the newest sequence number of a probe.
func seqOf(f *fake, probe string) string {
	for i := range 400 {
		if o := f.observation(i); o.Probe == probe {
			return strconv.FormatUint(o.Seq, 10)
		}
	}
	return "0"
}
