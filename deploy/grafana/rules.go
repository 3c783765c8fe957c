package grafana

import (
	"fmt"
	"strings"
)

// RulesFile is the name of the alert rules.
const RulesFile = "varde.rules.yml"

// Rule is one alert rule of Prometheus.
type Rule struct {
	Name string
	// When must all hold, for the same series.
	When []Condition
	// Unless takes out what is there, on the labels By.
	Unless, By string
	// For is how long it must hold.
	For string
	// Severity is page, somebody should look now, or ticket, somebody should look.
	Severity             string
	Summary, Description string
	// Page is where on the operators' listener more is to be seen.
	Page string
}

// Condition compares a value with a number. Without an operator it holds while there is
// a value.
type Condition struct {
	Value, Is string
	Limit     string
}

func (c Condition) expr() string {
	if c.Is == "" {
		return c.Value
	}
	return c.Value + " " + c.Is + " " + c.Limit
}

// Expr is the rule in PromQL.
func (r Rule) Expr() string {
	parts := make([]string, len(r.When))
	for i, c := range r.When {
		parts[i] = c.expr()
	}
	out := strings.Join(parts, " and ignoring (window) ")
	if r.Unless != "" {
		out = "(" + out + ") unless on (" + r.By + ") " + r.Unless
	}
	return out
}

// Rules are all alert rules, in groups by what they are about.
func Rules() map[string][]Rule {
	return map[string][]Rule{
		"varde-services": append(serviceRules(), burnRules()...),
		"varde-fleet":    fleetRules(),
	}
}

const (
	inMaintenance = "varde_service_under_maintenance == 1"
	series        = "{{ $labels.check }} ({{ $labels.service }}) in {{ $labels.region }} over {{ $labels.family }}"
	ofCheck       = "/check/{{ $labels.check }}"
)

func serviceRules() []Rule {
	return []Rule{
		{
			Name: "VardeServiceDown", For: "1m", Severity: "page",
			When:   []Condition{{`varde_verdict_state{state="down"}`, "==", "1"}},
			Unless: inMaintenance, By: "service, region",
			Summary:     series + " is down",
			Description: "The probes of the region agree that it cannot be reached. The check's page says at which step it fails and since when.",
			Page:        ofCheck,
		},
		{
			Name: "VardeServiceImpaired", For: "15m", Severity: "ticket",
			When:   []Condition{{`max without (state) (varde_verdict_state{state=~"slow|intermittent"})`, "==", "1"}},
			Unless: inMaintenance, By: "service, region",
			Summary:     series + " is slow or fails at times",
			Description: "For 15 minutes it was reached with delays, or not by every run.",
			Page:        ofCheck,
		},
		{
			Name: "VardeRegionWithoutQuorum", For: "5m", Severity: "ticket",
			When:        []Condition{{"varde_region_measuring_probes - on (instance, job) group_left () varde_quorum_probes", "<", "0"}},
			Summary:     "{{ $labels.region }} has too few probes for a verdict",
			Description: "All checks and services are unknown in {{ $labels.region }} until enough of its probes report and are fit to judge.",
			Page:        "/probes",
		},
		{
			Name: "VardeRegionSilent", For: "1m", Severity: "ticket",
			When:        []Condition{{"time() - varde_region_newest_observation_timestamp_seconds", ">", "600"}},
			Summary:     "Nothing was observed from {{ $labels.region }} for {{ $value | humanizeDuration }}",
			Description: "No observation of any check or service has come from {{ $labels.region }}.",
			Page:        "/probes",
		},
		{
			Name: "VardeCertificateEndsSoon", For: "1h", Severity: "ticket",
			When:        []Condition{{certificateLeft, "<", fmt.Sprint(14 * day)}},
			Summary:     "A certificate of {{ $labels.check }} ({{ $labels.service }}) ends in {{ $value | humanizeDuration }}",
			Description: "As servers present it in {{ $labels.region }}; whoever renews it has less than 14 days.",
			Page:        ofCheck,
		},
		{
			Name: "VardeCertificateEnds", For: "15m", Severity: "page",
			When:        []Condition{{certificateLeft, "<", fmt.Sprint(3 * day)}},
			Summary:     "A certificate of {{ $labels.check }} ({{ $labels.service }}) ends in {{ $value | humanizeDuration }}",
			Description: "As servers present it in {{ $labels.region }}; from then on nobody can connect.",
			Page:        ofCheck,
		},
		{
			Name: "VardeMailLost", For: "0m", Severity: "page",
			When:        []Condition{{`varde_mail_test_mails{state="lost"}`, ">", "0"}},
			Summary:     "{{ $value }} test mails of {{ $labels.route }} are lost",
			Description: "They were accepted within the last 24 hours, looked for until their time was over, and not found.",
			Page:        "/mail",
		},
	}
}

const certificateLeft = "min by (check, service, region) (probe_ssl_earliest_cert_expiry) - time()"

// burnRules are the pairs of windows of the Site Reliability Workbook, table 5-8, as
// [availability.BurnRules] in the coordinator has them.
func burnRules() []Rule {
	rule := func(name, severity, long, short, rate, budget string) Rule {
		window := func(w string) Condition { return Condition{`varde_service_burn_rate{window="` + w + `"}`, ">", rate} }
		return Rule{
			Name: name, For: "0m", Severity: severity, When: []Condition{window(long), window(short)},
			Summary:     "{{ $labels.service }} uses up its error budget {{ $value | humanize }} times as fast as it may" + inRegion,
			Description: "In the last " + long + " of all checks of {{ $labels.service }}" + inRegion + ", and in the last " + short + " too; at a rate of " + rate + " it takes " + budget + " of the budget of 30 days.",
			Page:        "/numbers/{{ $labels.service }}",
		}
	}
	return []Rule{
		rule("VardeBudgetBurnsFast", "page", "1h", "5m", "14.4", "2 %"),
		rule("VardeBudgetBurns", "page", "6h", "30m", "6", "5 %"),
		rule("VardeBudgetBurnsSlowly", "ticket", "3d", "6h", "1", "10 %"),
	}
}

const inRegion = "{{ with $labels.region }} in {{ . }}{{ else }} over all regions{{ end }}"

func fleetRules() []Rule {
	const probe = "{{ $labels.probe }} in {{ $labels.region }}"
	const ofProbe = "/probe/{{ $labels.probe }}"
	const readerLag = "(time() - varde_journal_reader_message_timestamp_seconds) * (varde_journal_reader_lag_messages > bool 0)"
	return []Rule{
		{
			Name: "VardeCoordinatorGone", For: "2m", Severity: "page", When: []Condition{{Value: "absent(varde_ready)"}},
			Summary: "No coordinator answers", Description: "Probes go on and keep what they see; nobody judges it, of any check, service or region.", Page: "/",
		},
		{
			Name: "VardeNotReady", For: "2m", Severity: "page", When: []Condition{{"varde_ready", "==", "0"}},
			Summary:     "The coordinator keeps nothing new",
			Description: "Its disk is full or its journal cannot be written; probes keep what they see of every check, service and region. /readyz says why.",
			Page:        "/readyz",
		},
		{
			Name: "VardeProbeSilent", For: "10m", Severity: "ticket", When: []Condition{{"varde_probe_connected", "==", "0"}},
			Summary: probe + " does not report", Description: "Not even through another probe; the verdicts of all checks and services in {{ $labels.region }} rest on the others.", Page: ofProbe,
		},
		{
			Name: "VardeProbeClockOff", For: "10m", Severity: "ticket", When: []Condition{{"abs(varde_probe_clock_offset_seconds)", ">", "10"}},
			Summary:     "The clock of " + probe + " is {{ $value | humanizeDuration }} off",
			Description: "Up to 30 s are corrected; above that what it sees of any check and service in {{ $labels.region }} is unknown.", Page: ofProbe,
		},
		{
			Name: "VardeObservationsLost", For: "0m", Severity: "ticket",
			When:        []Condition{{"increase(varde_probe_gap_records_total[1h])", ">", "0"}},
			Summary:     probe + " has lost {{ $value | humanize }} records within an hour",
			Description: "Its spool was full or they were not believed: that time is unknown of the checks and services that it looks at in {{ $labels.region }}.", Page: ofProbe,
		},
		{
			Name: "VardeReaderBehind", For: "5m", Severity: "ticket", When: []Condition{{readerLag, ">", "300"}},
			Summary:     "The reader {{ $labels.reader }} of the journal is {{ $value | humanizeDuration }} behind",
			Description: "Verdicts (told) or graphs (rollup) of every check, service and region are late; what the journal drops before it is read is missing there.", Page: "/",
		},
		{
			Name: "VardeMirrorBehind", For: "10m", Severity: "ticket", When: []Condition{{"varde_mirror_up", "==", "0"}},
			Summary:     "The mirror {{ $labels.mirror }} takes nothing",
			Description: "It lacks what was seen of every check, service and region since; pages and verdicts do not need it. What the journal drops before it is back is missing there.", Page: "/",
		},
		{
			Name: "VardeMirrorRefused", For: "2m", Severity: "ticket", When: []Condition{{"varde_mirror_refused", "==", "1"}},
			Summary:     "The mirror {{ $labels.mirror }} refuses what it is sent",
			Description: "The overview has its words. It lacks what was seen of every check, service and region since.", Page: "/",
		},
		{
			Name: "VardeJournalFilling", For: "10m", Severity: "ticket", When: []Condition{{"varde_journal_bytes / varde_journal_max_bytes", ">", "0.9"}},
			Summary:     "The journal has {{ $value | humanizePercentage }} of its bound",
			Description: "Above journal_max its oldest messages, of every check, service and region, go before their time.", Page: "/",
		},
		{
			Name: "VardeDiskFilling", For: "5m", Severity: "page", When: []Condition{{"varde_data_free_bytes", "<", "1e9"}},
			Summary:     "The disk of the coordinator has {{ $value | humanize1024 }}B left",
			Description: "Below 64 MiB it acknowledges nothing more, of any check, service and region, and probes have to keep it.", Page: "/",
		},
	}
}

// RulesYAML is the file of all rules.
func RulesYAML() []byte {
	var b strings.Builder
	b.WriteString("# Alert rules for Prometheus, made by rules.go: change them there.\ngroups:\n")
	for _, group := range []string{"varde-services", "varde-fleet"} {
		fmt.Fprintf(&b, "  - name: %s\n    rules:\n", group)
		for _, r := range Rules()[group] {
			fmt.Fprintf(&b, "      - alert: %s\n        expr: %q\n        for: %s\n", r.Name, r.Expr(), r.For)
			fmt.Fprintf(&b, "        labels: {severity: %s}\n        annotations:\n", r.Severity)
			fmt.Fprintf(&b, "          summary: %q\n          description: %q\n", r.Summary, r.Description)
			fmt.Fprintf(&b, "          page: %q\n          runbook: %q\n", r.Page, "deploy/grafana/README.md, "+r.Name)
		}
	}
	return []byte(b.String())
}
