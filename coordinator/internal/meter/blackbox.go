package meter

import (
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// newest are the metrics of blackbox_exporter that tell of the newest run.
type newest struct {
	success, duration, lookup, protocol, encrypted, http family
	phases                                               []*dto.LabelPair
}

func newestOf(out *sheet) newest {
	n := newest{
		success:   out.gauge("probe_success", "Whether the newest scheduled run was up; absent while unknown."),
		duration:  out.gauge("probe_duration_seconds", "How long the newest scheduled run took."),
		lookup:    out.gauge("probe_dns_lookup_time_seconds", "How long the newest scheduled run took to resolve the name."),
		protocol:  out.gauge("probe_ip_protocol", "The version of the internet protocol, 4 or 6."),
		encrypted: out.gauge("probe_http_ssl", "Whether a check of kind https speaks TLS."),
		http:      out.gauge("probe_http_duration_seconds", "How long the phases of the newest scheduled run of a check of kind https took."),
	}
	for _, p := range httpPhases() {
		n.phases = append(n.phases, pair("phase", p.name))
	}
	return n
}

// newestLocked tells of the newest runs as blackbox_exporter would.
func (m *Meter) newestLocked(out *sheet, now time.Time) {
	n := newestOf(out)
	for key, s := range m.sortedLocked() {
		if target := m.checks[key.Check]; s.speaks(now, target.Every) {
			n.tell(m.ofInstanceLocked(key), key, target, s.newest)
		}
	}
}

func (n newest) tell(l labels, key verdict.Series, target checks.Target, o checks.Observation) {
	n.duration.tell(l, o.Elapsed.Seconds())
	if o.Outcome != checks.Unknown {
		n.success.tell(l, Truth(o.Outcome == checks.Up))
	}
	if key.Family != checks.NoFamily {
		n.protocol.tell(l, map[checks.Family]float64{checks.IPv4: 4, checks.IPv6: 6}[key.Family])
	}
	if took, ran := took(o, checks.Resolve); ran {
		n.lookup.tell(l, took.Seconds())
	}
	if target.Kind != checks.HTTPS {
		return
	}
	n.encrypted.tell(l, Truth(strings.HasPrefix(target.URL, "https://")))
	for i, p := range httpPhases() {
		sum, _ := took(o, p.of...)
		n.http.tell(l.with(n.phases[i]), sum.Seconds())
	}
}

// took is how long some phases of an observation took, and whether one of them ran.
func took(o checks.Observation, phases ...checks.Phase) (sum time.Duration, ran bool) {
	for _, p := range o.Phases {
		for _, wanted := range phases {
			if p.Name == wanted {
				sum, ran = sum+p.Duration, true
			}
		}
	}
	return sum, ran
}

// httpPhase is a phase of blackbox_exporter's and what it is made of.
type httpPhase struct {
	name string
	of   []checks.Phase
}

// httpPhases are those of probe_http_duration_seconds (blackbox_exporter,
// prober/http.go). All of them always have a sample there, 0 where they did not run.
func httpPhases() []httpPhase {
	return []httpPhase{
		{"resolve", []checks.Phase{checks.Resolve}},
		{"connect", []checks.Phase{checks.Connect}},
		{"tls", []checks.Phase{checks.TLS}},
		{"processing", []checks.Phase{checks.Request, checks.FirstByte}},
		{"transfer", []checks.Phase{checks.Body}},
	}
}

// Truth is how Prometheus writes yes and no.
func Truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
