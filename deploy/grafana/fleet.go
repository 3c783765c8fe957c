package grafana

import "slices"

// rate is how often something happens.
func rate(name, by string) string {
	return "sum by (" + by + ") (rate(" + name + "[$__rate_interval]))"
}

// Fleet is varde itself: probes and coordinator.
func Fleet() Dashboard {
	return Dashboard{
		UID: "varde-fleet", File: "varde-fleet.json", Title: "Varde: probes and coordinator", Source: Prometheus,
		Description: "Whether varde itself is well: what it loses, where it waits and what it refuses.",
		Variables: []Variable{
			{Name: "region", Label: "Region", Query: "label_values(varde_probe_connected, region)"},
			{Name: "probe", Label: "Probe", Query: `label_values(varde_probe_connected{region=~"$region"}, probe)`},
		},
		Panels: slices.Concat(regionPanels(), probePanels(), coordinatorPanels()),
	}
}

// ofProbes chooses the probes that the reader chose.
const ofProbes = `{region=~"$region",probe=~"$probe"}`

func regionPanels() []Panel {
	const region = `{region=~"$region"}`
	return []Panel{
		{
			Kind: Lines, Title: "Probes that can judge", Width: 8, Description: "Below the quorum a region is unknown.",
			Queries: []Query{{"varde_region_measuring_probes" + region, "{{region}}"}, {"varde_quorum_probes", "quorum"}},
		},
		{
			Kind: Lines, Title: "Probes by state", Width: 8, Stacked: true,
			Queries: []Query{{"sum by (state) (varde_probes" + region + ")", "{{state}}"}},
		},
		{
			Kind: Lines, Title: "Newest observation is old", Width: 8, Unit: "s",
			Queries: []Query{{"time() - varde_region_newest_observation_timestamp_seconds" + region, "{{region}}"}},
		},
	}
}

func probePanels() []Panel {
	return []Panel{
		{
			Kind: Lines, Title: "Not connected, relayed or unfit", Width: 8,
			Queries: []Query{
				{"count by (region) (varde_probe_connected" + ofProbes + " == 0) or 0 * sum by (region) (varde_probe_connected" + ofProbes + ")", "{{region}} not connected"},
				{"sum by (region) (varde_probe_relayed" + ofProbes + ")", "{{region}} relayed"},
				{"sum by (region) (1 - varde_probe_qualified" + ofProbes + ")", "{{region}} unfit"},
			},
		},
		{
			Kind: Lines, Title: "Waiting in spools", Width: 8,
			Queries: []Query{{"varde_probe_spool_records" + ofProbes, "{{probe}}"}},
		},
		{
			Kind: Lines, Title: "Lost", Width: 8, Unit: "cps", Description: "Records that are kept as gaps, and those that full spools dropped.",
			Queries: []Query{
				{rate("varde_probe_gap_records_total"+ofProbes, "probe"), "{{probe}} gaps"},
				{rate("varde_probe_dropped_records_total"+ofProbes, "probe"), "{{probe}} dropped"},
			},
		},
		{
			Kind: Lines, Title: "Clocks ahead of ours", Width: 8, Unit: "s",
			Queries: []Query{{"varde_probe_clock_offset_seconds" + ofProbes, "{{probe}}"}},
		},
		{
			Kind: Lines, Title: "Runs", Width: 8, Unit: "cps",
			Queries: []Query{
				{rate("varde_probe_runs_total"+ofProbes, "region"), "{{region}}"},
				{rate("varde_probe_late_runs_total"+ofProbes, "region"), "{{region}} late"},
				{rate("varde_probe_missed_runs_total"+ofProbes, "region"), "{{region}} missed"},
				{rate("varde_probe_panicked_runs_total"+ofProbes, "region"), "{{region}} panicked"},
			},
		},
		{
			Kind: Lines, Title: "Looks after failures", Width: 8, Unit: "cps",
			Queries: []Query{
				{rate("varde_probe_confirms_asked_total"+ofProbes, "region"), "{{region}} asked for"},
				{rate("varde_probe_confirms_run_total"+ofProbes, "region"), "{{region}} made"},
				{rate("varde_probe_confirms_refused_total"+ofProbes, "region"), "{{region}} refused"},
				{rate("varde_probe_disqualified_failures_total"+ofProbes, "region"), "{{region}} own fault"},
			},
		},
		{
			Kind: Lines, Title: "Mesh and relays", Width: 8, Unit: "cps",
			Queries: []Query{
				{rate("varde_probe_mesh_refused_total"+ofProbes, "region"), "{{region}} messages refused"},
				{rate("varde_probe_relayed_connections_total"+ofProbes, "region"), "{{region}} connections for others"},
				{rate("varde_probe_relay_connections_used_total"+ofProbes, "region"), "{{region}} connections through others"},
				{rate("varde_probe_plans_from_peers_total"+ofProbes, "region"), "{{region}} plans from peers"},
				{rate("varde_probe_plans_refused_total"+ofProbes, "region"), "{{region}} plans refused"},
			},
		},
		{
			Kind: Lines, Title: "Plans behind, faults, notices", Width: 8,
			Queries: []Query{
				{"max by (region) (varde_plan_revision - on (instance, job) group_right () varde_probe_plan_revision" + ofProbes + ")", "{{region}} plans behind"},
				{"sum by (region) (varde_probe_faults" + ofProbes + ")", "{{region}} faults"},
				{"sum by (region) (varde_probe_notices" + ofProbes + ")", "{{region}} notices"},
			},
		},
		{
			Kind: Bars, Title: "Certificates of probes end in", Width: 8, Unit: "s", Good: 14 * day, Bad: 7 * day,
			Queries: []Query{{"varde_probe_certificate_expiry_timestamp_seconds" + ofProbes + " - time()", "{{probe}}"}},
		},
	}
}

func coordinatorPanels() []Panel {
	return []Panel{
		{
			Kind: Lines, Title: "Records by result", Width: 8, Unit: "cps",
			Queries: []Query{{rate("varde_ingest_records_total", "result"), "{{result}}"}},
		},
		{
			Kind: Lines, Title: "Refused", Width: 8, Unit: "cps",
			Queries: []Query{{rate("varde_ingest_refused_total", "cause"), "{{cause}}"}},
		},
		{
			Kind: Lines, Title: "From the end of a run to its arrival, 95th percentile", Width: 8, Unit: "s",
			Queries: []Query{{`histogram_quantile(0.95, ` + rate(`varde_observation_delay_seconds_bucket{region=~"$region"}`, "le, region") + `)`, "{{region}}"}},
		},
		{
			Kind: Lines, Title: "To disk, 95th percentile", Width: 8, Unit: "s",
			Queries: []Query{{`histogram_quantile(0.95, ` + rate("varde_ingest_append_seconds_bucket", "le") + `)`, "a group of batches"}},
		},
		{
			Kind: Lines, Title: "Queue and streams", Width: 8,
			Queries: []Query{{"varde_ingest_queue_batches", "batches that wait"}, {"varde_ingest_streams", "{{kind}} streams"}},
		},
		{
			Kind: Lines, Title: "Journal and disk", Width: 8, Unit: "bytes",
			Queries: []Query{{"varde_journal_bytes", "journal"}, {"varde_journal_max_bytes", "its bound"}, {"varde_data_free_bytes", "free on disk"}},
		},
		{
			Kind: Lines, Title: "Readers of the journal behind", Width: 8, Description: "Messages that each has not taken yet, and what was gone before it came.",
			Queries: []Query{
				{"varde_journal_reader_lag_messages", "{{reader}}"},
				{rate("varde_history_missed_messages_total", "reader"), "{{reader}} missed, a second"},
				{"rate(varde_meter_missed_messages_total[$__rate_interval])", "meter missed, a second"},
			},
		},
		{
			Kind: Lines, Title: "Age of what was taken", Width: 8, Unit: "s",
			Queries: []Query{
				{"varde_journal_newest_message_timestamp_seconds - on (instance, job) group_right () varde_journal_reader_message_timestamp_seconds", "{{reader}}"},
				{"time() - varde_numbers_timestamp_seconds", "numbers"},
			},
		},
		{
			Kind: Lines, Title: "Verdicts are final up to", Width: 8, Unit: "s", Description: "An hour is judged finally when every probe has reported past it.",
			Queries: []Query{{"time() - varde_history_final_timestamp_seconds", "ago"}},
		},
		{
			Kind: Lines, Title: "History", Width: 8, Unit: "cps",
			Queries: []Query{
				{"rate(varde_history_commits_total[$__rate_interval])", "commits"},
				{rate("varde_history_failures_total", "part"), "{{part}} failed"},
				{"rate(varde_history_ignored_observations_total[$__rate_interval])", "ignored"},
			},
		},
		{
			Kind: Lines, Title: "Answers, 95th percentile", Width: 8, Unit: "s",
			Queries: []Query{{`histogram_quantile(0.95, ` + rate("varde_http_request_duration_seconds_bucket", "le, listener") + `)`, "{{listener}}"}},
		},
		{
			Kind: Lines, Title: "Stream of events", Width: 8,
			Queries: []Query{{"varde_stream_readers", "readers"}, {"rate(varde_stream_dropped_readers_total[$__rate_interval])", "dropped, a second"}},
		},
		{
			Kind: Lines, Title: "Memory", Width: 8, Unit: "bytes",
			Queries: []Query{{`process_resident_memory_bytes and on (instance, job) varde_ready`, "resident"}, {`go_memstats_heap_inuse_bytes and on (instance, job) varde_ready`, "heap"}},
		},
		{
			Kind: Lines, Title: "Processor", Width: 8,
			Queries: []Query{{`rate(process_cpu_seconds_total[$__rate_interval]) and on (instance, job) varde_ready`, "cores"}},
		},
		{
			Kind: Stat, Title: "Ready, configuration in force, version", Width: 8,
			Queries: []Query{{"varde_ready", "ready"}, {"varde_config_last_reload_successful", "configuration"}, {"varde_build_info", "{{version}}"}},
		},
	}
}
