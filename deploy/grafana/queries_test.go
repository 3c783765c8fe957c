package grafana

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"

	"varde/deploy/fleettest"
	"varde/deploy/scenario"
)

func TestMain(m *testing.M) {
	singleThreaded()
	// The journal's clock ticker must be made outside of every bubble.
	ats.Register()
	defer ats.Unregister()
	m.Run()
}

// The play: imap is silent in oceania for a while, and a probe of us-east goes, so that
// its region has too few. An hour ends meanwhile, so that its verdicts become final.
const (
	paceOf      = 15 * time.Second
	calmFor     = 6 * time.Minute
	outageFor   = 8 * time.Minute
	afterwards  = 8 * time.Minute
	beforeHour  = 10 * time.Minute
	silentProbe = "us-east-2"
)

// recorded is what a fleet answered to scrapes.
type recorded struct {
	span
	// text is all of it with its times, last the newest answer.
	text, last string
}

// play has a fleet scraped, in a bubble: virtual minutes cost milliseconds.
func play(t *testing.T, influx *influxServer) (out recorded) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		hour := time.Now().Truncate(time.Hour).Add(time.Hour)
		time.Sleep(time.Until(hour.Add(-beforeHour)))
		f := fleettest.New(t, fleettest.Options{
			Regions: map[string]int{"eu-north": 2, "us-east": 2, "oceania": 2}, Objective: 99.9, Mirror: influx.url,
			Checks: map[string]scenario.Check{"imap": {Every: 30 * time.Second}, "https": {Every: 30 * time.Second}, "roundtrip": {Every: 5 * time.Minute}},
		})
		out.from, out.step = time.Now(), paceOf
		var b strings.Builder
		scrape := func(lasts time.Duration) {
			for until := time.Now().Add(lasts); time.Now().Before(until); f.Wait(paceOf) {
				out.last, _ = f.Text("/metrics")
				stamp(&b, out.last, time.Now())
				out.to = time.Now()
			}
		}
		scrape(calmFor)
		f.Silence("imap", "oceania")
		influx.kill()
		scrape(outageFor)
		f.Heal()
		if text, _ := f.Text("/"); !strings.Contains(text, "Mirror influx is behind") || !strings.Contains(text, "connection refused") {
			t.Error("the overview does not say that the mirror is behind, and why")
		}
		influx.start()
		f.StopProbe(silentProbe)
		scrape(afterwards)
		// Nothing is on its way any more when the points are counted.
		for _, region := range []string{"eu-north", "us-east", "oceania"} {
			f.StopProbe(region + "-1")
			if region+"-2" != silentProbe {
				f.StopProbe(region + "-2")
			}
		}
		f.Wait(time.Minute)
		text, _ := f.Text("/metrics")
		influx.complete(text)
		b.WriteString("# EOF\n")
		out.text = b.String()
	})
	return out
}

// stamp writes samples with a time, as promtool imports them.
func stamp(b *strings.Builder, text string, at time.Time) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			fmt.Fprintf(b, "%s %d.%03d\n", strings.TrimSuffix(line, "\n"), at.Unix(), at.Nanosecond()/1e6)
		}
	}
}

// fill puts in what a reader of the dashboard chose: everything, or the one check.
func fill(expr string) string {
	return strings.NewReplacer("$__rate_interval", "1m", "$__range", "20m", "$check", "imap", "$service", ".*",
		"$region", ".*", "$family", ".*", "$probe", ".*").Replace(expr)
}

// TestEveryQueryReturnsData plays an outage and asks Debian's Prometheus everything
// that the dashboards and rules of this folder ask.
func TestEveryQueryReturnsData(t *testing.T) {
	needPrometheus(t)
	influx := startInflux(t)
	r := play(t, influx)
	dir := t.TempDir()
	input, data := filepath.Join(dir, "scrapes.txt"), filepath.Join(dir, "data")
	if err := os.WriteFile(input, []byte(r.text), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "tsdb", "create-blocks-from", "openmetrics", "--quiet", input, data)
	s := serve(t, data, r.last)
	t.Run("dashboards", func(t *testing.T) { s.in(t).dashboards(r.span) })
	t.Run("influx", func(t *testing.T) {
		influx.t = t
		influx.dashboards(r.span)
	})
	t.Run("rules", func(t *testing.T) { s.in(t).rules(r.span) })
	t.Run("community", func(t *testing.T) { s.in(t).community(r.span) })
	t.Run("scraped", func(t *testing.T) { s.in(t).scraped() })
}

// in is the server for a subtest.
func (s *server) in(t *testing.T) *server { return &server{t, s.url} }

// answers wants a query to return a number at some time.
func (s *server) answers(what, expr string, over span) []line {
	s.t.Helper()
	lines, err := s.query(expr, over)
	if err != nil || !slices.ContainsFunc(lines, func(l line) bool { return len(l.known()) > 0 }) {
		s.t.Errorf("%s: %d series and no number, %v: %s", what, len(lines), err, expr)
	}
	return lines
}

// named wants some line to have every label by which a query calls them.
func (s *server) named(what string, q Query, lines []line) {
	s.t.Helper()
	for _, m := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(q.Legend, -1) {
		if !slices.ContainsFunc(lines, func(l line) bool { return l.Metric[m[1]] != "" }) {
			s.t.Errorf("%s: no line has the label %s: %s", what, m[1], q.Expr)
		}
	}
}

func (s *server) dashboards(over span) {
	for _, d := range All() {
		if d.Source != Prometheus {
			continue
		}
		for _, p := range d.Panels {
			for _, q := range p.Queries {
				what := d.UID + ", " + p.Title
				s.named(what, q, s.answers(what, fill(q.Expr), over))
			}
		}
		for _, v := range d.Variables {
			inner, ok := strings.CutPrefix(v.Query, "label_values(")
			i := strings.LastIndex(inner, ", ")
			if !ok || i < 0 {
				s.t.Errorf("%s: variable %s: %s", d.UID, v.Name, v.Query)
				continue
			}
			var found []string
			err := s.get("/api/v1/label/"+strings.TrimSuffix(inner[i+2:], ")")+"/values", url.Values{"match[]": {fill(inner[:i])}}, &found)
			if err != nil || len(found) == 0 {
				s.t.Errorf("%s: variable %s has no values, %v", d.UID, v.Name, err)
			}
		}
	}
}

// rules wants each rule to have something to compare, and those to fire that the play
// is about, and no other.
func (s *server) rules(over span) {
	fired := map[string]bool{}
	for _, rules := range Rules() {
		for _, r := range rules {
			for _, c := range r.When {
				if c.Is != "" { // else it is there only when something is not
					s.answers(r.Name, c.Value, over)
				}
			}
			lines, err := s.query(r.Expr(), over)
			if err != nil {
				s.t.Errorf("%s: %v", r.Name, err)
			}
			for _, l := range lines {
				if lasts(s.t, r, l, over.step) {
					fired[strings.TrimSpace(fmt.Sprint(r.Name, " ", l.Metric["check"], l.Metric["probe"], l.Metric["service"], " ", l.Metric["region"]))] = true
				}
			}
		}
	}
	for _, want := range []string{
		"VardeServiceDown imapimap oceania", "VardeBudgetBurnsFast imap oceania", "VardeRegionWithoutQuorum  us-east",
	} {
		if !fired[want] {
			s.t.Errorf("%s did not fire", want)
		}
		delete(fired, want)
	}
	for name := range fired {
		if !strings.HasPrefix(name, "VardeBudgetBurns") || !strings.Contains(name, "imap") {
			s.t.Errorf("%s fired", name)
		}
	}
}

// lasts says whether a line holds long enough for its rule.
func lasts(t *testing.T, r Rule, l line, step time.Duration) bool {
	t.Helper()
	long, err := time.ParseDuration(r.For)
	if err != nil {
		t.Fatal(err)
	}
	var began, last float64
	for _, at := range l.known() {
		if last == 0 || at-last > step.Seconds()+1 {
			began = at
		}
		if at-began >= long.Seconds() {
			return true
		}
		last = at
	}
	return false
}

// community asks what the dashboards ask that people have for blackbox_exporter, of
// those metrics that there are: see package meter.
func (s *server) community(over span) {
	for _, expr := range []string{
		// 7587, 14928 and 9965
		`probe_success{instance=~"imap/oceania/ipv4"}`,
		`probe_duration_seconds{instance=~"imap/oceania/ipv4"}`,
		`avg(probe_dns_lookup_time_seconds{instance=~"imap/oceania/ipv4"}) by (instance)`,
		`probe_ssl_earliest_cert_expiry{instance=~"imap/oceania/ipv4"} - time()`,
		`probe_ip_protocol{instance=~"imap/oceania/ipv4"}`,
		`probe_http_ssl{instance=~"https/oceania/ipv4"} > 0`,
		`probe_http_duration_seconds{instance=~"https/oceania/ipv4", phase=~"resolve|connect|tls|processing|transfer"}`,
		`sum by (phase) (probe_http_duration_seconds{instance=~"https/oceania/ipv4"})`,
		// 13659
		`sum(probe_http_duration_seconds{instance=~"https/oceania/ipv4"}) by (instance)`,
		`avg_over_time(probe_duration_seconds{instance=~"imap/oceania/ipv4"}[1m])`,
	} {
		s.answers("community", expr, over)
	}
	lines, err := s.query(`probe_success{instance="imap/oceania/ipv4"} == 0`, over)
	if err != nil || len(lines) != 1 || len(lines[0].known()) < int((outageFor-2*time.Minute)/paceOf) {
		s.t.Errorf("probe_success says nothing of the outage: %v, %v", lines, err)
	}
}

// scraped wants a real scrape to keep the names by which those dashboards choose, and
// Prometheus to evaluate the file of rules.
func (s *server) scraped() {
	over := func() span { return span{time.Now().Add(-5 * time.Second), time.Now(), time.Second} }
	for _, expr := range []string{
		`up{job="varde"} == 1`, `probe_success{job=~"varde",instance=~"https/eu-north/ipv4"}`, `varde_ready{job="varde",instance=~"127.0.0.1:.*"}`,
		`ALERTS{alertname="VardeProbeSilent",probe="` + silentProbe + `"}`,
	} {
		s.eventually(expr, func() bool {
			lines, err := s.query(expr, over())
			return err == nil && len(lines) > 0
		})
	}
	var groups struct {
		Groups []struct {
			Name  string
			Rules []struct{ Name, Health, LastError string }
		}
	}
	if err := s.get("/api/v1/rules", nil, &groups); err != nil || len(groups.Groups) != len(Rules()) {
		s.t.Fatalf("%d groups, %v", len(groups.Groups), err)
	}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			if r.Health != "ok" {
				s.t.Errorf("%s, %s: %s %s", g.Name, r.Name, r.Health, r.LastError)
			}
		}
	}
}
