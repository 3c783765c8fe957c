package grafana

// Check is one check, by region.
func Check() Dashboard {
	const where = `check=~"$check",region=~"$region"`
	const family = where + `,family=~"$family"`
	quantile := func(q, name string) Query {
		return Query{
			`histogram_quantile(` + q + `, sum by (le, region) (rate(varde_check_duration_seconds_bucket{` + where + `}[$__rate_interval])))`,
			"{{region}} " + name,
		}
	}
	return Dashboard{
		UID: "varde-check", File: "varde-check.json", Title: "Varde: one check", Source: Prometheus,
		Description: "What the probes of each region see of one check, and at which step it fails.",
		Variables: []Variable{
			{Name: "check", Label: "Check", Query: "label_values(varde_verdict_state, check)", One: true},
			{Name: "region", Label: "Region", Query: `label_values(varde_verdict_state{check="$check"}, region)`},
			{Name: "family", Label: "Address family", Query: `label_values(varde_verdict_state{check="$check"}, family)`},
		},
		Panels: []Panel{
			{
				Kind: Timeline, Title: "Verdicts", Width: 24, States: true,
				Queries: []Query{{states("region, family", family), "{{region}} {{family}}"}},
			},
			{
				Kind: Stat, Title: "Since", Width: 6, Unit: "dateTimeFromNow",
				Queries: []Query{{`1000 * max by (region) (varde_verdict_since_timestamp_seconds{` + family + `})`, "{{region}}"}},
			},
			{
				Kind: Bars, Title: "Availability in the range shown", Width: 6, Unit: "percentunit", Max: one(), Good: 0.999, Bad: 0.99,
				Queries: []Query{{available("region, family", family), "{{region}} {{family}}"}},
			},
			{
				Kind: Lines, Title: "What the probes saw", Width: 12, Stacked: true, Unit: "percentunit", Max: one(),
				Description: "Shares of the time for which scheduled observations speak.",
				Queries: []Query{{
					`sum by (outcome) (rate(varde_check_slot_seconds_total{` + family + `}[$__rate_interval])) / on () group_left () sum(rate(varde_check_slot_seconds_total{` + family + `}[$__rate_interval]))`,
					"{{outcome}}",
				}},
			},
			{
				Kind: Lines, Title: "Time of good runs", Width: 12, Unit: "s", Description: "Percentiles from buckets in steps of 1, 2 and 5.",
				Queries: []Query{quantile("0.5", "p50"), quantile("0.95", "p95"), quantile("0.99", "p99")},
			},
			{
				Kind: Lines, Title: "Phases of good runs, mean", Width: 12, Unit: "s", Stacked: true,
				Queries: []Query{{
					`sum by (phase) (rate(varde_check_phase_duration_seconds_sum{` + where + `}[$__rate_interval])) / sum by (phase) (rate(varde_check_phase_duration_seconds_count{` + where + `}[$__rate_interval]))`,
					"{{phase}}",
				}},
			},
			{
				Kind: Lines, Title: "Failures by class", Width: 12, Unit: "cps", Stacked: true,
				Queries: []Query{{`sum by (region, class) (rate(varde_check_failures_total{` + where + `}[$__rate_interval]))`, "{{region}} {{class}}"}},
			},
			{
				Kind: Lines, Title: "Newest run", Width: 12, Unit: "s", Description: "Good or not, of any probe of the region.",
				Queries: []Query{
					{`probe_duration_seconds{` + family + `}`, "{{region}} {{family}}"},
					{`probe_dns_lookup_time_seconds{` + family + `}`, "{{region}} {{family}} name"},
				},
			},
			{
				Kind: Bars, Title: "Certificate ends in", Width: 12, Unit: "s", Good: 30 * day, Bad: 14 * day,
				Queries: []Query{{`min by (region, family) (probe_ssl_earliest_cert_expiry{` + family + `}) - time()`, "{{region}} {{family}}"}},
			},
			{
				Kind: Lines, Title: "Up", Width: 12, Max: one(), Description: "1 up, 0 down, nothing unknown.",
				Queries: []Query{{`probe_success{` + family + `}`, "{{region}} {{family}}"}},
			},
		},
	}
}
