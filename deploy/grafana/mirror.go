package grafana

// Mirror is one check as a mirror in InfluxDB has it, observation by observation; see
// coordinator/internal/mirror/DESIGN.md for its measurements.
func Mirror() Dashboard {
	const where = `$timeFilter AND "check" =~ /^$check$/ AND "region" =~ /^$region$/ AND "family" =~ /^$family$/`
	const seen, every = ` FROM "varde_observation" WHERE ` + where, ` GROUP BY time($__interval), `
	good := func(what, name string) Query {
		return Query{`SELECT ` + what + seen + ` AND "up" = 1` + every + `"region" fill(none)`, "$tag_region " + name}
	}
	return Dashboard{
		UID: "varde-mirror", File: "varde-mirror.json", Title: "Varde: one check, from InfluxDB", Source: InfluxDB,
		Description: "Every observation and every told verdict of one check, as a mirror has them.",
		Variables: []Variable{
			{Name: "check", Label: "Check", Query: `SHOW TAG VALUES FROM "varde_observation" WITH KEY = "check"`, One: true},
			{Name: "region", Label: "Region", Query: `SHOW TAG VALUES FROM "varde_observation" WITH KEY = "region"`},
			{Name: "family", Label: "Address family", Query: `SHOW TAG VALUES FROM "varde_observation" WITH KEY = "family"`},
		},
		Panels: []Panel{
			{
				Kind: Timeline, Title: "Verdicts", Width: 24, States: true, Description: "From the first change in the range shown.",
				Queries: []Query{{`SELECT last("state") FROM "varde_verdict" WHERE ` + where + every + `"region", "family" fill(previous)`, "$tag_region $tag_family"}},
			},
			{
				Kind: Bars, Title: "Good runs in the range shown", Width: 12, Unit: "percentunit", Max: one(), Good: 0.999, Bad: 0.99,
				Description: "Of those that could tell; a share of runs and not of time.",
				Queries:     []Query{{`SELECT sum("up") / (sum("up") + sum("down"))` + seen + ` GROUP BY "region", "family"`, "$tag_region $tag_family"}},
			},
			{
				Kind: Lines, Title: "Time of good runs", Width: 12, Unit: "ms",
				Queries: []Query{good(`percentile("elapsed_ms", 50)`, "p50"), good(`percentile("elapsed_ms", 95)`, "p95"), good(`max("elapsed_ms")`, "longest")},
			},
			{
				Kind: Lines, Title: "Phases of good runs, mean", Width: 12, Unit: "ms", Stacked: true,
				Queries: []Query{{`SELECT mean(/^phase_/)` + seen + ` AND "up" = 1 GROUP BY time($__interval) fill(none)`, "$col"}},
			},
			{
				Kind: Lines, Title: "Failed runs", Width: 12, Stacked: true,
				Queries: []Query{{`SELECT sum("down")` + seen + every + `"region", "probe" fill(none)`, "$tag_region $tag_probe"}},
			},
			{
				Kind: Lines, Title: "Classes of failures", Width: 12, Description: "By their codes, which are in coordinator/internal/mirror/DESIGN.md.",
				Queries: []Query{{`SELECT "class"` + seen + ` AND "down" = 1 GROUP BY "region", "probe"`, "$tag_region $tag_probe"}},
			},
			{
				Kind: Lines, Title: "Observations", Width: 12, Stacked: true,
				Queries: []Query{{`SELECT count("elapsed_ms")` + seen + every + `"probe" fill(0)`, "$tag_probe"}},
			},
		},
	}
}
