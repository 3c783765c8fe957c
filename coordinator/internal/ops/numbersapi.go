package ops

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/record"
)

func (a account) json() record.Numbers {
	return record.OfNumbers(a.service.ID, a.service.Objective(), a.Numbers, a.mail)
}

// numbersFor is how far back numbers go where nobody says: that of an objective.
const numbersFor = 30 * 24 * time.Hour

// apiNumbers answers /api/v1/numbers, and /api/v1/numbers.csv with the lines of its tables.
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
		if strings.HasSuffix(r.URL.Path, ".csv") {
			return a.lines().csv(w)
		}
		s.answer(w, a.json())
		return nil
	})
}

// lines are the numbers of all together, of each region and of each family, and the worst
// windows of the first two.
func (a account) lines() drawn {
	d := drawn{Check: a.service.ID, Graph: "numbers", Columns: []string{
		"from", "to", "service", "region", "family", "availability", "low", "high", "coverage", "up_s", "down_s", "unknown_s",
		"runs", "failed", "effective_runs", "without_maintenance", "maintenance_s", "budget_allowed_s", "budget_used_s",
	}}
	for _, length := range availability.CurveLengths() {
		d.Columns = append(d.Columns, fmt.Sprintf("worst_%ds", int(length.Seconds())))
	}
	n := a.json()
	add := func(region, family string, e record.Estimate, more []any) {
		row := append([]any{n.To, n.Service, region, family}, estimateCells(e)...)
		row = append(row, more...)
		d.add(n.From, append(row, make([]any, len(d.Columns)-1-len(row))...)...)
	}
	for _, f := range append([]record.Figures{n.All}, n.Regions...) {
		add(f.Region, "", f.Estimate, figureCells(f))
	}
	for _, f := range n.Families {
		add("", f.Family.String(), f.Estimate, nil)
	}
	return d
}

func estimateCells(e record.Estimate) []any {
	return []any{
		orUnknown(e.Availability), orUnknown(e.Low), orUnknown(e.High), e.Coverage, e.UpS, e.DownS, e.UnknownS, e.Runs, e.Failed, e.Effective,
	}
}

// figureCells are what is said of regions alone.
func figureCells(f record.Figures) []any {
	row := []any{orUnknown(f.WithoutMaintenance.Availability), f.MaintenanceS, nil, nil}
	if f.Budget != nil {
		row[2], row[3] = f.Budget.AllowedS, f.Budget.UsedS
	}
	for _, length := range availability.CurveLengths() {
		i := slices.IndexFunc(f.Worst, func(w record.Worst) bool { return w.LengthS == length.Seconds() })
		if i < 0 {
			row = append(row, nil)
			continue
		}
		row = append(row, orUnknown(f.Worst[i].Availability))
	}
	return row
}

// orUnknown is the value, nil where it is not known.
func orUnknown(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}
