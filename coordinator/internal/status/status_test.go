package status_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"varde/checks"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

func reading(check string, d status.Depth, f checks.Family, s verdict.State) status.Reading {
	return status.Reading{Check: check, Depth: d, Family: f, State: s}
}

const (
	v4, v6 = checks.IPv4, checks.IPv6
	up     = verdict.Up
	down   = verdict.Down
)

func TestOfRegion(t *testing.T) {
	for _, tt := range []struct {
		name     string
		readings []status.Reading
		want     status.Status
		because  string
	}{
		{"all is well", []status.Reading{reading("imap", status.Login, v4, up), reading("imap", status.Login, v6, up)}, status.Operational, ""},
		{"slow", []status.Reading{reading("imap", status.Login, v4, verdict.Slow), reading("imap", status.Login, v6, up)}, status.Degraded, "imap slow over IPv4"},
		{"comes and goes", []status.Reading{reading("imap", status.Login, v4, verdict.Intermittent)}, status.Degraded, "imap intermittent"},
		{"all is down", []status.Reading{reading("imap", status.Login, v4, down), reading("imap", status.Login, v6, down)}, status.Major, "imap down"},
		{"one family", []status.Reading{reading("imap", status.Login, v4, up), reading("imap", status.Login, v6, down)}, status.Partial, "imap down over IPv6"},
		{
			"the login alone",
			[]status.Reading{reading("banner", status.Contact, v4, up), reading("login", status.Login, v4, down)},
			status.Degraded, "login down",
		},
		{
			"the login alone, in one family and more in the other",
			[]status.Reading{
				reading("banner", status.Contact, v4, up), reading("login", status.Login, v4, down),
				reading("banner", status.Contact, v6, down), reading("login", status.Login, v6, down),
			},
			status.Partial, "login down, banner down over IPv6",
		},
		{
			"one of two equal checks",
			[]status.Reading{reading("mx1", status.Contact, v4, up), reading("mx2", status.Contact, v4, down)},
			status.Partial, "mx2 down",
		},
		{
			"a shallow one alone",
			[]status.Reading{reading("banner", status.Contact, v4, down), reading("login", status.Login, v4, up)},
			status.Partial, "banner down",
		},
		{
			"what is not known says nothing",
			[]status.Reading{reading("banner", status.Contact, v4, verdict.Unknown), reading("login", status.Login, v4, down)},
			status.Major, "login down",
		},
		{
			"the gravest first",
			[]status.Reading{reading("a", status.Contact, v4, verdict.Slow), reading("b", status.Contact, v4, down), reading("c", status.Contact, v4, up)},
			status.Partial, "b down, a slow",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := status.OfRegion(tt.readings)
			if !got.Known || got.Status != tt.want || got.Because != tt.because {
				t.Errorf("got %+v, want %s because %q", got, tt.want, tt.because)
			}
		})
	}
	if got := status.OfRegion([]status.Reading{reading("imap", status.Login, v4, verdict.Unknown)}); got.Known || got.Status != "" {
		t.Errorf("of nothing known: got %+v, want nothing", got)
	}
}

func TestScope(t *testing.T) {
	one := func(f checks.Family) status.Scope { return status.Scope{Extent: status.OneFamily, Family: f} }
	for _, tt := range []struct {
		name     string
		readings []status.Reading
		want     status.Scope
	}{
		{"all", []status.Reading{reading("a", status.Contact, v4, down), reading("a", status.Contact, v6, down)}, status.Scope{}},
		{"a family", []status.Reading{reading("a", status.Contact, v4, up), reading("a", status.Contact, v6, down)}, one(v6)},
		{"a family of several checks", []status.Reading{
			reading("a", status.Contact, v4, up), reading("a", status.Contact, v6, down), reading("b", status.Login, v4, verdict.Slow), reading("b", status.Login, v6, down),
		}, one(v6)},
		{"a part of a family", []status.Reading{
			reading("a", status.Contact, v4, up), reading("a", status.Contact, v6, down), reading("b", status.Contact, v6, up),
		}, status.Scope{Extent: status.Some}},
		{"logins", []status.Reading{
			reading("a", status.Contact, v4, up), reading("b", status.Login, v4, down), reading("c", status.Delivery, v4, down),
		}, status.Scope{Extent: status.Logins}},
		{"mail", []status.Reading{reading("b", status.Login, v4, up), reading("c", status.Delivery, v4, verdict.Slow)}, status.Scope{Extent: status.Deliveries}},
		{"one of two", []status.Reading{reading("a", status.Login, v4, up), reading("b", status.Login, v4, down)}, status.Scope{Extent: status.Some}},
	} {
		if got := status.OfRegion(tt.readings).Scope; got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// Trouble counts from the first check that has it, health from the last that found
// it.
func TestSince(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 10, 21, 9, minute, 0, 0, time.UTC) }
	since := func(s verdict.State, minutes ...int) (list []status.Reading) {
		for _, m := range minutes {
			list = append(list, status.Reading{Check: "imap", State: s, Since: at(m)})
		}
		return list
	}
	for _, tt := range []struct {
		readings []status.Reading
		want     time.Time
	}{
		{since(up, 3, 7, 5), at(7)},
		{since(down, 7, 3, 5), at(3)},
		{append(since(up, 1), since(down, 9)...), at(9)},
	} {
		if got := status.OfRegion(tt.readings).Since; !got.Equal(tt.want) {
			t.Errorf("%+v: got %s, want %s", tt.readings, got, tt.want)
		}
	}
}

func TestOfService(t *testing.T) {
	of := func(s status.Status, w float64) status.Component { return status.Component{Status: s, Weight: w} }
	for _, tt := range []struct {
		name    string
		regions []status.Component
		want    status.Status
	}{
		{"no region", nil, status.Operational},
		{"all is well", []status.Component{of(status.Operational, 4), of(status.Operational, 1)}, status.Operational},
		{"a small region is out", []status.Component{of(status.Operational, 9), of(status.Major, 1)}, status.Partial},
		{"a region without weight is out", []status.Component{of(status.Operational, 9), of(status.Major, 0)}, status.Partial},
		{"a large region is out", []status.Component{of(status.Operational, 1), of(status.Major, 2)}, status.Major},
		{"two of three are out", []status.Component{of(status.Operational, 1), of(status.Major, 1), of(status.Major, 1)}, status.Major},
		{"two of three without weights", []status.Component{of(status.Operational, 0), of(status.Major, 0), of(status.Major, 0)}, status.Major},
		{"a family is dead everywhere", []status.Component{of(status.Partial, 1), of(status.Partial, 1)}, status.Partial},
		{"slow beside maintenance", []status.Component{of(status.Degraded, 1), of(status.Maintenance, 1)}, status.Degraded},
		{"maintenance", []status.Component{of(status.Operational, 1), of(status.Maintenance, 1)}, status.Maintenance},
	} {
		if got := status.OfService(tt.regions); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Nothing regional is ever voted away: a service is never better than degraded
// where a region is, never better than a partial outage where a region is out,
// and a region more that is well makes nothing worse.
func TestNothingIsVotedAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := []status.Status{status.Operational, status.Maintenance, status.Degraded, status.Partial, status.Major}
		regions := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) status.Component {
			return status.Component{Status: rapid.SampledFrom(all).Draw(t, "status"), Weight: float64(rapid.IntRange(0, 9).Draw(t, "weight"))}
		}), 1, 9).Draw(t, "regions")
		got, worst := status.OfService(regions), status.Operational
		for _, r := range regions {
			worst = status.Worst(worst, r.Status)
		}
		if worst == status.Major {
			worst = status.Partial
		}
		if got.Gravity() < worst.Gravity() {
			t.Fatalf("%+v: got %s, want at least %s", regions, got, worst)
		}
		more := append(regions, status.Component{Status: status.Operational, Weight: float64(rapid.IntRange(1, 9).Draw(t, "more"))})
		if status.OfService(more).Gravity() > got.Gravity() {
			t.Fatalf("%+v: got %s with a region more that is well, %s without", regions, status.OfService(more), got)
		}
	})
}

func TestOf(t *testing.T) {
	for state, want := range map[verdict.State]status.Status{
		up: status.Operational, verdict.Slow: status.Degraded, verdict.Intermittent: status.Degraded, down: status.Major, verdict.Unknown: status.Operational,
	} {
		if got := status.Of(state); got != want {
			t.Errorf("%s: got %s, want %s", state, got, want)
		}
	}
}

// Unknown readings change nothing.
func TestUnknownSaysNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		readings := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) status.Reading {
			return status.Reading{
				Check: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "check"), Depth: rapid.SampledFrom([]status.Depth{status.Contact, status.Login}).Draw(t, "depth"),
				Family: rapid.SampledFrom([]checks.Family{v4, v6}).Draw(t, "family"), State: rapid.SampledFrom([]verdict.State{up, verdict.Slow, verdict.Intermittent, down}).Draw(t, "state"),
			}
		}), 1, 8).Draw(t, "readings")
		with := append([]status.Reading{{Check: "d", State: verdict.Unknown}}, readings...)
		if a, b := status.OfRegion(readings), status.OfRegion(with); a != b {
			t.Fatalf("got %+v with an unknown, %+v without", b, a)
		}
	})
}

func TestDepthOf(t *testing.T) {
	for _, tt := range []struct {
		target checks.Target
		want   status.Depth
	}{
		{checks.Target{Kind: checks.DNS}, status.Lookup},
		{checks.Target{Kind: checks.IMAP}, status.Contact},
		{checks.Target{Kind: checks.IMAP, Login: &checks.Login{User: "probe"}}, status.Login},
		{checks.Target{Kind: checks.RoundTrip}, status.Delivery},
	} {
		if got := status.DepthOf(tt.target); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.target.Kind, got, tt.want)
		}
	}
}
