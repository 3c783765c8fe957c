package incident_test

import (
	"slices"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

const (
	v4, v6       = checks.IPv4, checks.IPv6
	unknown, up  = verdict.Unknown, verdict.Up
	slow, flaps  = verdict.Slow, verdict.Intermittent
	down         = verdict.Down
	here         = "192.0.2.0/24"
	there        = "198.51.100.0/24"
	interval     = 30 * time.Second
	loopInterval = 15 * time.Minute
)

// world has two providers with a service each that has several checks, in three
// regions.
func world() incident.World {
	check := func(id, service string, kind checks.Kind, d status.Depth) incident.Check {
		return incident.Check{ID: id, Service: service, Kind: kind, Depth: d, Every: interval}
	}
	w := incident.World{
		Services: []incident.Service{
			{ID: "imap", Name: "IMAP", Provider: "fjord"},
			{ID: "webmail", Name: "Webmail", Provider: "fjord"},
			{ID: "post", Name: "Post", Provider: "elv"},
		},
		Checks: []incident.Check{
			check("imap-login", "imap", checks.IMAP, status.Login), check("imap-hello", "imap", checks.IMAP, status.Contact),
			check("web", "webmail", checks.HTTPS, status.Contact), check("post", "post", checks.IMAP, status.Login),
			{ID: "loop", Service: "webmail", Kind: checks.RoundTrip, Depth: status.Delivery, Every: loopInterval},
		},
		Regions: []status.Region{
			{ID: "eu-north", Name: "Northern Europe", Weight: 4}, {ID: "oceania", Name: "Oceania", Weight: 1}, {ID: "us-east", Name: "Eastern US", Weight: 2},
		},
	}
	for _, c := range w.Checks {
		for _, r := range w.Regions {
			w.Series = append(w.Series, verdict.Series{Check: c.ID, Region: r.ID, Family: v4}, verdict.Series{Check: c.ID, Region: r.ID, Family: v6})
		}
	}
	return w
}

// at is a time of the day of all tests: "09:30" or "09:30:05".
func at(clock string) time.Time {
	layout := "2006-01-02 15:04:05"
	if len(clock) == 5 {
		clock += ":00"
	}
	t, err := time.Parse(layout, "2021-10-21 "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

func series(check, region string) verdict.Series {
	return verdict.Series{Check: check, Region: region, Family: v4}
}

// option changes a change.
type option func(*verdict.Change)

func since(clock string) option { return func(c *verdict.Change) { c.Since = at(clock) } }

func on(networks ...string) option {
	return func(c *verdict.Change) { c.Evidence.Networks = networks }
}

func in(p checks.Phase, class checks.Class) option {
	return func(c *verdict.Change) { c.Evidence.Phase, c.Evidence.Class = p, class }
}

func over(f checks.Family) option { return func(c *verdict.Change) { c.Series.Family = f } }

// turn is a change of a series, by default for that TCP connects time out, which three
// of three probes see.
func turn(clock, check, region string, to verdict.State, options ...option) verdict.Change {
	c := verdict.Change{Series: series(check, region), To: to, At: at(clock), Since: at(clock)}
	switch to {
	case slow, flaps, down:
		c.From, c.Reason, c.Counts = up, "connect_timeout, 3 of 3 probes", verdict.Counts{Down: 3}
		c.Evidence = verdict.Evidence{Phase: checks.Connect, Class: checks.ConnectTimeout, Networks: []string{here}}
	case up:
		c.From, c.Reason, c.Counts = down, "3 good results in a row from 3 probes", verdict.Counts{Up: 3}
	default:
		c.Reason = "1 probe with a current result, 2 needed"
	}
	for _, o := range options {
		o(&c)
	}
	return c
}

// told is a book that was told of changes.
func told(changes ...verdict.Change) *incident.Book {
	b := incident.New(world(), incident.Policy{})
	for _, c := range changes {
		b.Observe(c)
	}
	return b
}

// only is the one incident that a book holds.
func only(t *testing.T, b *incident.Book) incident.Incident {
	t.Helper()
	list := b.Incidents()
	if len(list) != 1 {
		t.Fatalf("got %d incidents, want 1: %+v", len(list), list)
	}
	return list[0]
}

// last is the last step of an incident.
func last(i incident.Incident) incident.Step { return i.Steps[len(i.Steps)-1] }

func kinds(i incident.Incident) (out []incident.StepKind) {
	for _, s := range i.Steps {
		out = append(out, s.Kind)
	}
	return out
}

func wantKinds(t *testing.T, i incident.Incident, want ...incident.StepKind) {
	t.Helper()
	if got := kinds(i); !slices.Equal(got, want) {
		t.Errorf("%s: got the steps %q, want %q", i.ID, got, want)
	}
}

func wantTime(t *testing.T, what string, got time.Time, want string) {
	t.Helper()
	if want == "" && got.IsZero() {
		return
	}
	if want == "" || !got.Equal(at(want)) {
		t.Errorf("%s: got %s, want %q", what, got.Format(time.TimeOnly), want)
	}
}
