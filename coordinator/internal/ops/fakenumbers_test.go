package ops

import (
	"context"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
)

// Numbers are as Oceania went dark: what was down comes from there.
func (f *fake) Numbers(_ context.Context, q NumbersQuery) (availability.Numbers, error) {
	f.mu.Lock()
	f.numbered = append(f.numbered, q)
	f.mu.Unlock()
	n := availability.Numbers{From: q.From, To: q.To, MinutesFrom: morning.Add(-30 * 24 * time.Hour)}
	if q.Service == "imap" {
		n.Maintenance = availability.Windows{{From: morning.Add(-50 * time.Hour), To: morning.Add(-48 * time.Hour), Regions: []string{"oceania"}}}
	}
	var shares []availability.Share
	for _, r := range f.now.Regions {
		a := availability.NewAccount(0)
		for at := q.From; at.Before(q.To); at = at.Add(time.Hour) {
			c := availability.Cell{Sums: availability.Sums{Up: 3 * time.Hour}, Coverage: availability.Coverage{Covered: 60, Minutes: 60}, Runs: 360}
			switch {
			case r.ID == "oceania" && at.After(dark) && (q.Service == "imap" || q.Service == "smtp"):
				c.Sums, c.Failed = availability.Sums{Down: 3 * time.Hour}, 360
			case r.ID == "asia-se" && at.Before(q.From.Add(q.To.Sub(q.From)/3)):
				c = availability.Cell{Sums: availability.Sums{Unknown: 3 * time.Hour}, Coverage: availability.Coverage{Minutes: 60}}
			}
			a.Add(at, c)
		}
		share := availability.Share{Weight: r.Weight, Account: a}
		shares = append(shares, share)
		n.Regions = append(n.Regions, availability.RegionFigures{Region: r.ID, Figures: f.figures(q, share)})
	}
	n.Whole = f.figures(q, shares...)
	if q.Service == "imap" {
		oceania := &n.Regions[len(n.Regions)-1].Figures
		oceania.Maintenance, n.Whole.Maintenance = 2*time.Hour, 24*time.Minute
	}
	for _, family := range []checks.Family{checks.IPv4, checks.IPv6} {
		n.Families = append(n.Families, availability.FamilyFigures{Family: family, Estimate: n.Whole.Measured})
	}
	return n, f.count("numbers")
}

func (f *fake) figures(q NumbersQuery, shares ...availability.Share) availability.Figures {
	e := availability.Measured(shares)
	out := availability.Figures{Measured: e, Counted: e, Statuspage: new(1 - (1-e.Ratio)*0.9)}
	if q.Objective > 0 {
		out.Budget = new(availability.BudgetOf(q.Objective, e.Out, q.To.Sub(q.From)))
		for _, rule := range availability.BurnRules() {
			now := availability.Estimate{Known: true}
			if e.Ratio < 1 {
				now.Out = 1 / float64(len(shares))
			}
			out.Burns = append(out.Burns, availability.BurnOf(rule, q.Objective, now, now))
		}
	}
	for _, length := range availability.CurveLengths() {
		w := availability.Worst{Length: length, Known: length <= q.To.Sub(q.From), Ratio: 1, From: dark}
		if e.Ratio < 1 {
			w.Ratio = 1 - min(1, (3*time.Hour).Seconds()/length.Seconds())/float64(len(shares))
		}
		if q.Curve {
			out.Curve = append(out.Curve, w)
		}
	}
	return out
}
