// Package meter counts what probes see, for Prometheus.
//
// It follows the journal from its end: what is counted arrived after the program
// started, once and in the order in which it arrived. Nothing is read again after a
// restart, so every counter begins at zero then, which rate and increase know, and
// none counts a thing twice. What arrives later than [Late] after it ended is counted
// by its delay alone: a spool that empties must not look like an outage of now. The
// history, which has it at its own time, is the place for numbers of the past.
//
// # Names
//
// Where blackbox_exporter has a name for something it is used, so that the dashboards
// that people have show varde too. What these query, read in their JSON (copies in
// github.com/micheleliabe/lab-blackbox at 5f812dc, the last in qthang97/prometheus at
// d5834ae), by their numbers at grafana.com:
//
//	7587, 14928  {instance=~"$target"} with target = label_values(probe_success, instance):
//	             probe_success probe_duration_seconds probe_http_duration_seconds (by phase)
//	             probe_dns_lookup_time_seconds probe_ssl_earliest_cert_expiry probe_http_ssl
//	             probe_ip_protocol probe_http_status_code probe_http_version probe_tls_version_info
//	13659        the same but probe_ip_protocol and probe_http_version, by {job=~"$job", instance=~"$instance"}
//	9965         the same but probe_dns_lookup_time_seconds and the versions, too, but it lists
//	             targets by label_values(up, instance): change that to probe_success
//
// All of them choose by instance, which here is a series: "imap-login/eu-north/ipv4".
// Prometheus keeps it where the scrape has honor_labels: true; else it is
// exported_instance. An observation keeps no status code, version of HTTP or version of
// TLS: these three have no series. The phases of probe_http_duration_seconds are those of
// blackbox_exporter (prober/http.go): processing is our request and first_byte, transfer
// our body.
//
// Of a series the newest scheduled run of any probe of the region speaks, as that of
// the one prober does there, for two and a half intervals; then it has no sample.
// Unknown is neither 0 nor 1: probe_success has no sample then.
//
// # Availability
//
// varde_check_slot_seconds_total counts the seconds for which scheduled observations
// speak, by outcome: up / (up + down) of their increase over any range is the
// availability of that range, as the methods of the numbers define it. A gauge of the
// ratio would fit one range only, and its average would count a minute with one run as
// much as one with twenty.
//
// # How many series
//
// Latency has a classic histogram (native ones want a flag of the server and protobuf
// in Debian 12) for the whole run, of each check and region: 14 buckets in steps of 1,
// 2 and 5 from 1 ms to 30 s, so a percentile that Prometheus makes of them may be off
// by half. Phases have sum and count. Percentiles by phase and family, within 1 %, are
// in the history.
//
// 200 checks in 10 regions over both families, eight phases each, make 128,200 series:
// a scrape of 15 MB, 0.6 MB as it is sent, made in 150 ms and packed in 110 ms more
// (TestScrapeOfALargeFleet, BenchmarkScrape). A histogram for each phase would make
// 368,000 of them.
package meter
