package server

import (
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// TestReadingSaysWhatItLeavesOut rolls verdicts of two checks up: a service of
// which a part is not measured never reads as if it all were.
func TestReadingSaysWhatItLeavesOut(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	of := func(check string, family checks.Family, state verdict.State) history.Verdict {
		return history.Verdict{Series: verdict.Series{Check: check, Region: "oceania", Family: family}, State: state, Since: at}
	}
	lately := func(verdict.Series) (verdict.State, time.Time, error) { return verdict.Down, at, nil }
	never := func(verdict.Series) (verdict.State, time.Time, error) { return verdict.Unknown, time.Time{}, nil }
	up, gone := of("login", checks.IPv4, verdict.Up), of("greeting", checks.IPv4, verdict.Unknown)
	for _, c := range []struct {
		name     string
		verdicts []history.Verdict
		last     recall
		state    verdict.State
		partial  bool
	}{
		{"both work", []history.Verdict{up, of("greeting", checks.IPv4, verdict.Up)}, never, verdict.Up, false},
		{"one has gone silent", []history.Verdict{up, gone}, lately, verdict.Up, true},
		{"one has no verdict yet", []history.Verdict{up}, never, verdict.Up, true},
		{"one never had another verdict", []history.Verdict{up, gone}, never, verdict.Up, true},
		{"one address family has gone silent", []history.Verdict{up, of("greeting", checks.IPv4, verdict.Up), of("greeting", checks.IPv6, verdict.Unknown)}, lately, verdict.Up, true},
		{"one address family never was", []history.Verdict{up, of("greeting", checks.IPv4, verdict.Up), of("greeting", checks.IPv6, verdict.Unknown)}, never, verdict.Up, false},
		{"trouble in the part that is seen", []history.Verdict{of("login", checks.IPv4, verdict.Down), gone}, lately, verdict.Down, true},
		{"nothing is seen", []history.Verdict{gone}, lately, verdict.Unknown, false},
		{"of another check", []history.Verdict{up, of("greeting", checks.IPv4, verdict.Up), of("removed", checks.IPv4, verdict.Unknown)}, lately, verdict.Up, false},
	} {
		got, err := readingOf("oceania", []checks.Target{{ID: "login", Kind: checks.IMAP}, {ID: "greeting", Kind: checks.IMAP}}, c.verdicts, c.last)
		if err != nil || got.State != c.state || got.Partial != c.partial {
			t.Errorf("%s: got %s, partial %t, %v; want %s, partial %t", c.name, got.State, got.Partial, err, c.state, c.partial)
		}
		if got.State == verdict.Unknown && (got.Last != verdict.Down || !got.LastAt.Equal(at)) {
			t.Errorf("%s: last known %s until %s, want down until %s", c.name, got.Last, got.LastAt, at)
		}
	}
}

// TestReadingSaysWhichPart: a dead address family is an outage of a part, and named.
func TestReadingSaysWhichPart(t *testing.T) {
	of := func(family checks.Family, state verdict.State) history.Verdict {
		return history.Verdict{Series: verdict.Series{Check: "login", Region: "oceania", Family: family}, State: state}
	}
	never := func(verdict.Series) (verdict.State, time.Time, error) { return verdict.Unknown, time.Time{}, nil }
	got, err := readingOf("oceania", []checks.Target{{ID: "login", Kind: checks.IMAP}}, []history.Verdict{of(checks.IPv4, verdict.Up), of(checks.IPv6, verdict.Down)}, never)
	want := status.Scope{Extent: status.OneFamily, Family: checks.IPv6}
	if err != nil || got.State != verdict.Down || got.Status != status.Partial || got.Scope != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestReadingSaysHowOftenItFails adds up the runs of the checks that fail at times,
// and says nothing of those that went down.
func TestReadingSaysHowOftenItFails(t *testing.T) {
	of := func(check string, state verdict.State, failed int) history.Verdict {
		return history.Verdict{Series: verdict.Series{Check: check, Region: "oceania", Family: checks.IPv4}, State: state, Failed: failed, Runs: 60}
	}
	never := func(verdict.Series) (verdict.State, time.Time, error) { return verdict.Unknown, time.Time{}, nil }
	for _, c := range []struct {
		a, b         history.Verdict
		failed, runs int
	}{
		{of("a", verdict.Intermittent, 12), of("b", verdict.Up, 1), 12, 60},
		{of("a", verdict.Intermittent, 12), of("b", verdict.Intermittent, 8), 20, 120},
		{of("a", verdict.Intermittent, 0), of("b", verdict.Up, 1), 0, 0},
		{of("a", verdict.Down, 30), of("b", verdict.Intermittent, 8), 0, 0},
	} {
		got, err := readingOf("oceania", []checks.Target{{ID: "a"}, {ID: "b"}}, []history.Verdict{c.a, c.b}, never)
		if err != nil || got.Failed != c.failed || got.Runs != c.runs {
			t.Errorf("%s and %s: got %d of %d, %v; want %d of %d", c.a.State, c.b.State, got.Failed, got.Runs, err, c.failed, c.runs)
		}
	}
}

// TestOnlyLate: a service is late when nothing but round trips are slow.
func TestOnlyLate(t *testing.T) {
	made := []checks.Target{{ID: "loop", Kind: checks.RoundTrip}, {ID: "login", Kind: checks.IMAP}}
	of := func(check, region string, state verdict.State) history.Verdict {
		return history.Verdict{Series: verdict.Series{Check: check, Region: region, Family: checks.IPv4}, State: state}
	}
	for _, v := range []struct {
		name     string
		verdicts []history.Verdict
		want     bool
	}{
		{"mail is late", []history.Verdict{of("loop", "oceania", verdict.Slow), of("login", "oceania", verdict.Up)}, true},
		{"logins are slow", []history.Verdict{of("loop", "oceania", verdict.Up), of("login", "oceania", verdict.Slow)}, false},
		{"both are", []history.Verdict{of("loop", "oceania", verdict.Slow), of("login", "oceania", verdict.Slow)}, false},
		{"logins are slow elsewhere", []history.Verdict{of("loop", "oceania", verdict.Slow), of("login", "us-east", verdict.Slow)}, true},
	} {
		if got := onlyLate("oceania", made, v.verdicts); got != v.want {
			t.Errorf("%s: got %t", v.name, got)
		}
	}
}
