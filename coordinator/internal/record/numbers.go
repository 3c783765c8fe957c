package record

import (
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/mail"
)

// Numbers are what /api/v1/numbers and reports say of a service.
type Numbers struct {
	Service string    `json:"service"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	// Objective is a share of the time, as every ratio here; null for none.
	Objective *float64 `json:"objective"`
	// MinutesFrom is since when there can be worst windows and burn rates.
	MinutesFrom time.Time `json:"minutes_from"`
	Maintenance []Window  `json:"maintenance"`
	All         Figures   `json:"all"`
	Regions     []Figures `json:"regions"`
	Families    []Family  `json:"families"`
	Mail        mail.Sums `json:"mail"`
}

// Window is a stretch of announced maintenance; no regions mean all.
type Window struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Regions []string  `json:"regions"`
}

// Family are the numbers of one address family.
type Family struct {
	Family checks.Family `json:"family"`
	Estimate
}

// Figures are the numbers of one region, or of all together.
type Figures struct {
	Region string `json:"region,omitempty"`
	Estimate
	WithoutMaintenance Estimate `json:"without_maintenance"`
	MaintenanceS       float64  `json:"maintenance_s"`
	Budget             *Budget  `json:"budget"`
	Burns              []Burn   `json:"burn_rates"`
	Worst              []Worst  `json:"worst_windows"`
	Statuspage         *float64 `json:"statuspage_compatible"`
}

// Estimate is a ratio with what it rests on.
type Estimate struct {
	Availability *float64 `json:"availability"`
	Low          *float64 `json:"low"`
	High         *float64 `json:"high"`
	Coverage     float64  `json:"coverage"`
	// Label is "insufficient data" where coverage is thin, else empty.
	Label      string  `json:"label"`
	UpS        float64 `json:"up_s"`
	DownS      float64 `json:"down_s"`
	UnknownS   float64 `json:"unknown_s"`
	Runs       uint64  `json:"runs"`
	Failed     uint64  `json:"failed"`
	Effective  float64 `json:"effective_runs"`
	Clustering float64 `json:"clustering"`
}

// Budget is a budget; left is a share of it, null where the objective allows nothing.
type Budget struct {
	// Kept says what became of the objective: kept, missed or unknown.
	Kept       availability.Kept `json:"kept"`
	PeriodS    float64           `json:"period_s"`
	AllowedS   float64           `json:"allowed_s"`
	UsedS      float64           `json:"used_s"`
	RemainingS float64           `json:"remaining_s"`
	Left       *float64          `json:"left"`
}

// Burn is how fast a budget is used by one rule; a rate that is not known is null.
type Burn struct {
	LongS    float64  `json:"long_s"`
	ShortS   float64  `json:"short_s"`
	Limit    float64  `json:"limit"`
	Long     *float64 `json:"long_rate"`
	Short    *float64 `json:"short_rate"`
	Exceeded bool     `json:"exceeded"`
}

// Worst is the worst window of one length, null where none was looked at enough.
type Worst struct {
	LengthS      float64    `json:"length_s"`
	Availability *float64   `json:"availability"`
	From         *time.Time `json:"from"`
}

// OfNumbers is what is published of a service: its numbers, the share of the time that
// was promised, zero for none, and what became of its mails.
func OfNumbers(service string, objective float64, n availability.Numbers, m mail.Sums) Numbers {
	out := Numbers{
		Service: service, From: n.From.UTC(), To: n.To.UTC(), MinutesFrom: n.MinutesFrom.UTC(), Maintenance: []Window{},
		All: ofFigures("", n.Whole), Regions: []Figures{}, Families: []Family{}, Mail: m,
	}
	if objective > 0 {
		out.Objective = &objective
	}
	for _, w := range n.Maintenance {
		out.Maintenance = append(out.Maintenance, Window{w.From.UTC(), w.To.UTC(), list(w.Regions)})
	}
	for _, r := range n.Regions {
		out.Regions = append(out.Regions, ofFigures(r.Region, r.Figures))
	}
	for _, f := range n.Families {
		out.Families = append(out.Families, Family{f.Family, ofEstimate(f.Estimate)})
	}
	return out
}

func ofFigures(region string, f availability.Figures) Figures {
	out := Figures{
		Region: region, Estimate: ofEstimate(f.Measured), WithoutMaintenance: ofEstimate(f.Counted),
		MaintenanceS: f.Maintenance.Seconds(), Statuspage: f.Statuspage, Burns: []Burn{}, Worst: []Worst{},
	}
	if b := f.Budget; b != nil {
		out.Budget = &Budget{Kept: f.Kept(), PeriodS: b.Period.Seconds(), AllowedS: b.Allowed.Seconds(), UsedS: b.Used.Seconds(), RemainingS: b.Remaining().Seconds()}
		if left, ok := b.Left(); ok {
			out.Budget.Left = &left
		}
	}
	for _, b := range f.Burns {
		out.Burns = append(out.Burns, Burn{b.Long.Seconds(), b.Short.Seconds(), b.Rate, b.LongRate, b.ShortRate, b.Exceeded()})
	}
	for _, w := range f.Curve {
		x := Worst{LengthS: w.Length.Seconds()}
		if w.Known {
			x.Availability, x.From = &w.Ratio, given(w.From)
		}
		out.Worst = append(out.Worst, x)
	}
	return out
}

func ofEstimate(e availability.Estimate) Estimate {
	out := Estimate{
		Coverage: e.Coverage, Label: e.Label(), UpS: e.Up.Seconds(), DownS: e.Down.Seconds(), UnknownS: e.Unknown.Seconds(),
		Runs: e.Runs, Failed: e.Failed, Effective: e.Effective, Clustering: e.Clustering,
	}
	if e.Known {
		out.Availability, out.Low, out.High = &e.Ratio, &e.Low, &e.High
	}
	return out
}
