package ops

import (
	"context"
	"net/http"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/mail"
)

// numbersJSON is what /api/v1/numbers says of a service.
type numbersJSON struct {
	Service string    `json:"service"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	// Objective is a share of the time, as every ratio here; null for none.
	Objective *float64 `json:"objective"`
	// MinutesFrom is since when there can be worst windows and burn rates.
	MinutesFrom time.Time     `json:"minutes_from"`
	Maintenance []windowJSON  `json:"maintenance"`
	All         figuresJSON   `json:"all"`
	Regions     []figuresJSON `json:"regions"`
	Families    []familyJSON  `json:"families"`
	Mail        mail.Sums     `json:"mail"`
}

type windowJSON struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Regions []string  `json:"regions"`
}

type familyJSON struct {
	Family checks.Family `json:"family"`
	estimateJSON
}

// figuresJSON are the numbers of one region, or of all together.
type figuresJSON struct {
	Region string `json:"region,omitempty"`
	estimateJSON
	WithoutMaintenance estimateJSON `json:"without_maintenance"`
	MaintenanceS       float64      `json:"maintenance_s"`
	Budget             *budgetJSON  `json:"budget"`
	Burns              []burnJSON   `json:"burn_rates"`
	Worst              []worstJSON  `json:"worst_windows"`
	Statuspage         *float64     `json:"statuspage_compatible"`
}

// estimateJSON is a ratio with what it rests on.
type estimateJSON struct {
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

// budgetJSON is a budget; left is a share of it, null where the objective allows nothing.
type budgetJSON struct {
	PeriodS    float64  `json:"period_s"`
	AllowedS   float64  `json:"allowed_s"`
	UsedS      float64  `json:"used_s"`
	RemainingS float64  `json:"remaining_s"`
	Left       *float64 `json:"left"`
}

type burnJSON struct {
	LongS    float64  `json:"long_s"`
	ShortS   float64  `json:"short_s"`
	Limit    float64  `json:"limit"`
	Long     *float64 `json:"long_rate"`
	Short    *float64 `json:"short_rate"`
	Exceeded bool     `json:"exceeded"`
}

// worstJSON is the worst window of one length, null where none was looked at enough.
type worstJSON struct {
	LengthS      float64    `json:"length_s"`
	Availability *float64   `json:"availability"`
	From         *time.Time `json:"from"`
}

func (a account) json() numbersJSON {
	out := numbersJSON{
		Service: a.service.ID, From: a.From.UTC(), To: a.To.UTC(), MinutesFrom: a.MinutesFrom.UTC(), Maintenance: []windowJSON{},
		All: figuresOf("", a.Whole), Regions: []figuresJSON{}, Families: []familyJSON{}, Mail: a.mail,
	}
	if o := a.service.objective(); o > 0 {
		out.Objective = &o
	}
	for _, w := range a.Maintenance {
		out.Maintenance = append(out.Maintenance, windowJSON{w.From.UTC(), w.To.UTC(), list(w.Regions)})
	}
	for _, r := range a.Regions {
		out.Regions = append(out.Regions, figuresOf(r.Region, r.Figures))
	}
	for _, f := range a.Families {
		out.Families = append(out.Families, familyJSON{f.Family, estimateOf(f.Estimate)})
	}
	return out
}

func figuresOf(region string, f availability.Figures) figuresJSON {
	out := figuresJSON{
		Region: region, estimateJSON: estimateOf(f.Measured), WithoutMaintenance: estimateOf(f.Counted),
		MaintenanceS: f.Maintenance.Seconds(), Statuspage: f.Statuspage, Burns: []burnJSON{}, Worst: []worstJSON{},
	}
	if b := f.Budget; b != nil {
		out.Budget = &budgetJSON{PeriodS: b.Period.Seconds(), AllowedS: b.Allowed.Seconds(), UsedS: b.Used.Seconds(), RemainingS: b.Remaining().Seconds()}
		if left, ok := b.Left(); ok {
			out.Budget.Left = &left
		}
	}
	for _, b := range f.Burns {
		out.Burns = append(out.Burns, burnJSON{b.Long.Seconds(), b.Short.Seconds(), b.Rate, b.LongRate, b.ShortRate, b.Exceeded()})
	}
	for _, w := range f.Curve {
		x := worstJSON{LengthS: w.Length.Seconds()}
		if w.Known {
			x.Availability, x.From = &w.Ratio, known(w.From)
		}
		out.Worst = append(out.Worst, x)
	}
	return out
}

func estimateOf(e availability.Estimate) estimateJSON {
	out := estimateJSON{
		Coverage: e.Coverage, Label: e.Label(), UpS: e.Up.Seconds(), DownS: e.Down.Seconds(), UnknownS: e.Unknown.Seconds(),
		Runs: e.Runs, Failed: e.Failed, Effective: e.Effective, Clustering: e.Clustering,
	}
	if e.Known {
		out.Availability, out.Low, out.High = &e.Ratio, &e.Low, &e.High
	}
	return out
}

// numbersFor is how far back numbers go where nobody says: that of an objective.
const numbersFor = 30 * 24 * time.Hour

func (s *Server) apiNumbers(w http.ResponseWriter, r *http.Request) {
	q := ask(r.URL.Query())
	q.only("service", "from", "to")
	id := q.id("service")
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		from, to := q.windowOf(now.At, numbersFor)
		i := slices.IndexFunc(now.Services, func(x Service) bool { return x.ID == id })
		switch {
		case id == "":
			q.fail("no service given, expected service=ID")
		case i < 0:
			q.fail("service %q is not configured", id)
		case !from.Before(now.At):
			q.fail("from %s has not come yet", from.Format(time.RFC3339))
		}
		if q.err != nil {
			apiError(w, http.StatusBadRequest, q.err.Error())
			return nil
		}
		a, err := s.account(ctx, now, now.Services[i], from, to, true)
		if err != nil {
			return err
		}
		s.answer(w, a.json())
		return nil
	})
}
