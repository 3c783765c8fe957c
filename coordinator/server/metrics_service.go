package server

import (
	"fmt"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/mail"
	"varde/coordinator/internal/meter"
	"varde/coordinator/internal/presence"
)

// ofFigures are what is told of the numbers of each service: of each region, and of
// all by weight under the empty one.
func ofFigures(read func(f availability.Figures, tell tell)) func(facts, tell) {
	return func(f facts, told tell) {
		for _, service := range f.config.Services {
			in := func(region string) tell {
				return func(v float64, more ...string) { told(v, append([]string{service.ID, region}, more...)...) }
			}
			numbers, known := f.reckoned.numbers[service.ID]
			if known {
				read(numbers.Whole, in(""))
			}
			for _, r := range numbers.Regions {
				read(r.Figures, in(r.Region))
			}
		}
	}
}

// serviceMetrics are the numbers of the last 30 days as the pages have them: also of
// what arrived late, and without maintenance.
func serviceMetrics() []metric {
	labels := []string{"service", "region"}
	return []metric{
		gauge("varde_service_objective_ratio", "The share of the time that was promised of a service.", labels[:1],
			func(f facts, tell tell) {
				for _, s := range f.config.Services {
					if s.SLO > 0 {
						tell(objectiveOf(s), s.ID)
					}
				}
			}),
		gauge("varde_service_availability_ratio", "Availability of a service in the last 30 days; all regions by weight under the empty one.", labels,
			ofFigures(func(f availability.Figures, tell tell) {
				if f.Counted.Known {
					tell(f.Counted.Ratio)
				}
			})),
		gauge("varde_service_coverage_ratio", "The share of the last 30 days in which a service was really looked at.", labels,
			ofFigures(func(f availability.Figures, tell tell) { tell(f.Counted.Coverage) })),
		gauge("varde_service_error_budget_remaining_ratio", "What is left of the error budget of 30 days; negative when more was used.", labels,
			ofFigures(func(f availability.Figures, tell tell) {
				if f.Budget == nil {
					return
				}
				if left, ok := f.Budget.Left(); ok {
					tell(left)
				}
			})),
		gauge("varde_service_burn_rate", "How fast the error budget was used within a window: at 1 it lasts for its period.", append(labels, "window"),
			ofFigures(tellBurns)),
		gauge("varde_service_under_maintenance", "Whether maintenance of a service was announced for now.", labels, tellMaintenance),
	}
}

func tellBurns(f availability.Figures, tell tell) {
	told := map[time.Duration]bool{} // the short window of one rule is the long one of another
	say := func(window time.Duration, rate *float64) {
		if rate != nil && !told[window] {
			told[window] = true
			tell(*rate, burnWindow(window))
		}
	}
	for _, b := range f.Burns {
		say(b.Long, b.LongRate)
		say(b.Short, b.ShortRate)
	}
}

// burnWindow is what the window of a burn rate is called: 5m, 6h, 3d.
func burnWindow(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}

func tellMaintenance(f facts, tell tell) {
	for _, service := range f.config.Services {
		for _, region := range f.config.Regions {
			if len(checksOf(f.config, service.ID, region.ID)) > 0 {
				tell(meter.Truth(maintained(f.windows, service.ID, region.ID)), service.ID, region.ID)
			}
		}
	}
}

// incidentMetrics count what is open.
func incidentMetrics() []metric {
	return []metric{
		gauge("varde_incidents_open", "Incidents that are not resolved, by the gravest impact that each had.", []string{"impact"},
			func(f facts, tell tell) {
				open := map[incident.Impact]int{}
				for _, i := range f.incidents {
					open[i.Impact]++
				}
				for _, impact := range []incident.Impact{incident.NoImpact, incident.MinorImpact, incident.MajorImpact, incident.CriticalImpact} {
					tell(float64(open[impact]), string(impact))
				}
			}),
	}
}

// unresolved are the incidents that stand for themselves and are not resolved.
func (s *Server) unresolved() []incident.Shown {
	now := time.Now()
	var out []incident.Shown
	for _, i := range incident.Views(*s.world.Load(), s.incidents.Overlapping(now, now.Add(time.Second))) {
		if !i.Draft && i.Stage != incident.Resolved {
			out = append(out, i)
		}
	}
	return out
}

// mailMetrics are of the test mails of the last 24 hours.
func mailMetrics() []metric {
	labels := []string{"route"}
	ofRoutes := func(read func(r mail.Route, tell tell)) func(facts, tell) {
		return func(f facts, told tell) {
			for _, r := range f.reckoned.routes {
				read(r, func(v float64, more ...string) { told(v, append([]string{r.Route}, more...)...) })
			}
		}
	}
	ofDelay := func(read func(r mail.Route) time.Duration) func(facts, tell) {
		return ofRoutes(func(r mail.Route, tell tell) {
			if r.Arrived > 0 {
				tell(read(r).Seconds())
			}
		})
	}
	return []metric{
		gauge("varde_mail_test_mails", "Test mails that were sent in the last 24 hours, by what became of them.", append(labels, "state"),
			ofRoutes(func(r mail.Route, tell tell) {
				tell(float64(r.Arrived), "arrived")
				tell(float64(r.Pending), "pending")
				tell(float64(r.Lost), "lost")
				tell(float64(r.Unknown), "unknown")
			})),
		gauge("varde_mail_late_mails", "Those of them that are past their limit, whether they were found since or not.", labels,
			ofRoutes(func(r mail.Route, tell tell) { tell(float64(r.Late)) })),
		gauge("varde_mail_delay_median_seconds", "Delay within which half of those arrived that did.", labels,
			ofDelay(func(r mail.Route) time.Duration { return r.P50 })),
		gauge("varde_mail_delay_p95_seconds", "Delay within which 95 % of those arrived that did.", labels,
			ofDelay(func(r mail.Route) time.Duration { return r.P95 })),
		timestamp("varde_mail_oldest_pending_timestamp_seconds", "When the oldest test mail was sent that is still looked for.", labels,
			func(f facts, tell func(time.Time, ...string)) {
				for _, r := range f.reckoned.routes {
					tell(r.Waiting, r.Route)
				}
			}),
	}
}

// regionMetrics say whether a region can speak.
func regionMetrics() []metric {
	labels := []string{"region"}
	return []metric{
		timestamp("varde_region_newest_observation_timestamp_seconds", "When the newest observation from a region ended.", labels,
			func(f facts, tell func(time.Time, ...string)) {
				for region, at := range f.newest {
					tell(at, region)
				}
			}),
		gauge("varde_region_measuring_probes", "Probes of a region that report now and do not hold themselves unfit to judge.", labels,
			func(f facts, tell tell) {
				able := measuring(f.probes)
				for _, r := range f.config.Regions {
					tell(float64(able[r.ID]), r.ID)
				}
			}),
		gauge("varde_quorum_probes", "Probes that a region needs for a verdict, where a check has no quorum of its own.", nil,
			func(f facts, tell tell) { tell(float64(f.config.MinProbes)) }),
		gauge("varde_probes", "Probes of the roster, by region and state.", []string{"region", "state"},
			func(f facts, tell tell) {
				count := map[[2]string]int{}
				for _, p := range f.probes {
					count[[2]string{p.Region, p.State.String()}]++
				}
				for _, r := range f.config.Regions {
					for _, state := range []presence.State{presence.Connected, presence.Silent} {
						tell(float64(count[[2]string{r.ID, state.String()}]), r.ID, state.String())
					}
				}
			}),
	}
}
