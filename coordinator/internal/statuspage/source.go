package statuspage

import (
	"cmp"
	"context"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/mail"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// Source is where the facts of the pages come from. Its methods are called
// from the goroutine of a request, at most one call at a time for the same
// arguments, and must return when ctx ends. What they return is not changed.
type Source interface {
	// Now returns what is known now of every service and region. It is called
	// at most once per Options.Refresh.
	Now(ctx context.Context) (Now, error)
	// History returns what was seen of one service in a window, one entry for
	// each region that checks it. It is called at most once per
	// Options.HistoryRefresh for each service and length of window; the window
	// ends with the current, unfinished step.
	History(ctx context.Context, service string, window graph.Window) ([]RegionHistory, error)
	// Mail returns what became of the test mails of a service that were sent in
	// the window. It is called as rarely as History.
	Mail(ctx context.Context, service string, window graph.Window) (mail.Sums, error)
}

// Now is one snapshot of the present.
type Now struct {
	// At is the time for which the snapshot holds; the page shows it as its
	// own, and all ages count back from it.
	At time.Time
	// Began is when this coordinator first kept records, the created_at of
	// everything published. It must not change between calls.
	Began time.Time
	// Regions and Services stand in the order of the configuration.
	Regions  []Region
	Services []Service
	// Bulletins are what the pages tell of incidents, in any order; those that are not told
	// are shown to nobody.
	Bulletins []Bulletin
	// Work is the maintenance that was announced, also that which is over, in any order.
	Work []Work
}

// Region is one region of the fleet.
type Region struct {
	ID, Name string
	// Weight is the share of users there, on any scale.
	Weight float64
	// Probes is the number of probes there that report now and do not hold
	// themselves unfit to judge.
	Probes int
	// Newest is when the newest observation from there was made; zero if there
	// is none.
	Newest time.Time
}

// Service is one service with its verdicts.
type Service struct {
	ID, Name string
	// Readings hold one entry for each region that is to check the service, in
	// any order, also while there is no verdict. A region that does not check it
	// has none.
	Readings []Reading
}

// Reading is what is known of one service in one region: the worst verdict of
// its checks and address families, and which of them it is about.
type Reading struct {
	// Region is the id of the region.
	Region string
	State  verdict.State
	// Status is what the checks and families come to together, that of State alone if
	// it is empty; Scope is how much of the service State is about.
	Status status.Status
	Scope  status.Scope
	// Partial says that State speaks for a part: other checks or address
	// families of the service there are not measured now.
	Partial bool
	// Late says of a State that is slow that mail arrives late, and nothing else is
	// slow.
	Late bool
	// Maintenance says that announced work is under way; it stands over State.
	Maintenance bool
	// Since is when State began; zero if that is not known.
	Since time.Time
	// Last and LastAt are the last verdict that was not unknown, and until when
	// it held. They matter only while State is unknown; LastAt is zero if there
	// never was one.
	Last   verdict.State
	LastAt time.Time
	// Failed of Runs attempts failed lately; given only where the page should
	// say so, which is while State is intermittent.
	Failed, Runs int
}

func (r Reading) status() status.Status { return cmp.Or(r.Status, status.Of(r.State)) }

// mark is what the page shows for the reading.
func (r Reading) mark() graph.Mark {
	if r.Maintenance {
		return graph.Maintenance
	}
	return graph.MarkOf(r.State)
}

// showing is what the headline and the badge say of the reading: of a service
// that works in part and is not measured in part, the gap.
func (r Reading) showing() showing {
	switch m := r.mark(); {
	case m == graph.Up && r.Partial:
		return showing{mark: graph.Unknown, part: true}
	default:
		return showing{mark: m, late: m == graph.Slow && r.Late, scope: r.Scope}
	}
}

// RegionHistory is what one region saw of one service in a window.
type RegionHistory struct {
	// Region is the id of the region.
	Region string
	// Tallies hold one entry for each step of the window, oldest first; the
	// zero Tally is a step in which nobody looked.
	Tallies []graph.Tally
	// Uptime and Coverage are those of the whole window, by slots: up / (up +
	// down) with unknown left out, and the share that was looked at.
	Uptime   graph.Ratio
	Coverage float64
	// Latency is that of the runs that completed, at most one point a step,
	// oldest first.
	Latency []graph.LatencyPoint
}

// Page is one public page.
type Page struct {
	// ID names the page in the JSON; lower-case letters, digits, hyphens.
	ID string
	// Title is its name, e.g. "Example Mail status".
	Title string
	// URL is where readers find it. Its host chooses between several pages.
	URL string
	// Services are the ids of the services it shows, in order.
	Services []string
	// Language is that of its bulletins, as HTML names it; not said if it is empty.
	Language string
}
