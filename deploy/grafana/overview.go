package grafana

// states is the verdict of series as a number of [stateValues]; the gravest of those
// that the aggregation puts together.
func states(by, where string) string {
	out := "max by (" + by + ") ("
	for i, v := range stateValues() {
		if i > 0 {
			out += " or "
		}
		out += string(rune('0'+i)) + ` * (varde_verdict_state{state="` + v.name + `",` + where + `} == 1)`
	}
	return out + ")"
}

// available is the availability of the range that is shown, by what arrived in time.
func available(by, where string) string {
	sum := func(outcome string) string {
		return `sum by (` + by + `) (increase(varde_check_slot_seconds_total{outcome=~"` + outcome + `",` + where + `}[$__range]))`
	}
	return sum("up") + " / " + sum("up|down")
}

func one() *float64 {
	v := 1.0
	return &v
}

// Overview is all services by region.
func Overview() Dashboard {
	const where = `service=~"$service",region=~"$region"`
	return Dashboard{
		UID: "varde-overview", File: "varde-overview.json", Title: "Varde: services by region", Source: Prometheus,
		Description: "Whether people in each region can reach each service, by what varde's probes see.",
		Variables: []Variable{
			{Name: "service", Label: "Service", Query: "label_values(varde_verdict_state, service)"},
			{Name: "region", Label: "Region", Query: "label_values(varde_verdict_state, region)"},
		},
		Panels: []Panel{
			{
				Kind: Timeline, Title: "Verdicts", Width: 24, Height: 10, States: true,
				Description: "The gravest verdict of the checks of each service in each region. Gaps: nothing was told.",
				Queries:     []Query{{states("service, region", where), "{{service}} {{region}}"}},
			},
			{
				Kind: Bars, Title: "Availability in the range shown", Width: 8, Unit: "percentunit", Max: one(), Good: 0.999, Bad: 0.99,
				Description: "Up / (up + down) of the slots of scheduled observations; unknown is left out.",
				Queries:     []Query{{available("service, region", where), "{{service}} {{region}}"}},
			},
			{
				Kind: Bars, Title: "Error budget left", Width: 8, Unit: "percentunit", Max: one(), Good: 0.5, Bad: 0.1,
				Description: "Of the 30 days before now, without maintenance, over all regions by weight.",
				Queries:     []Query{{`varde_service_error_budget_remaining_ratio{region="",service=~"$service"}`, "{{service}}"}},
			},
			{
				Kind: Lines, Title: "Burn rate in an hour", Width: 8,
				Description: "At 1 the error budget lasts for its 30 days, at 14.4 a page is due.",
				Queries:     []Query{{`varde_service_burn_rate{window="1h",` + where + `}`, "{{service}} {{region}}"}},
			},
			{
				Kind: Lines, Title: "Time of good runs, 95th percentile", Width: 12, Unit: "s",
				Queries: []Query{{
					`histogram_quantile(0.95, sum by (le, service, region) (rate(varde_check_duration_seconds_bucket{` + where + `}[$__rate_interval])))`,
					"{{service}} {{region}}",
				}},
			},
			{
				Kind: Lines, Title: "Failures by class", Width: 12, Unit: "cps", Stacked: true,
				Queries: []Query{{`sum by (class) (rate(varde_check_failures_total{` + where + `}[$__rate_interval]))`, "{{class}}"}},
			},
			{Kind: Stat, Title: "Open incidents", Width: 6, Queries: []Query{{`varde_incidents_open{impact!="none"}`, "{{impact}}"}}},
			{
				Kind: Stat, Title: "Under maintenance", Width: 6,
				Queries: []Query{{`sum by (service) (varde_service_under_maintenance{` + where + `})`, "{{service}}"}},
			},
			{
				Kind: Bars, Title: "Certificates end in", Width: 12, Unit: "s", Good: 30 * day, Bad: 14 * day,
				Queries: []Query{{`min by (check) (varde_check_certificate_expiry_timestamp_seconds{service=~"$service"}) - time()`, "{{check}}"}},
			},
			{
				Kind: Lines, Title: "Test mails of the last 24 hours", Width: 12, Stacked: true,
				Queries: []Query{{`sum by (state) (varde_mail_test_mails)`, "{{state}}"}, {`sum(varde_mail_late_mails)`, "of them late"}},
			},
			{
				Kind: Lines, Title: "Delay of test mails", Width: 12, Unit: "s",
				Queries: []Query{
					{`varde_mail_delay_median_seconds`, "{{route}} median"}, {`varde_mail_delay_p95_seconds`, "{{route}} p95"},
				},
			},
		},
	}
}

// day is in seconds.
const day = 24 * 3600
