package deploy

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"varde/checks"
	"varde/deploy/fleettest"
)

// TestMetrics scrapes the coordinator of a fleet in which a service is down, after
// one of its probes has gone and it was restarted.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, threeRegions())
		f.Wait(3 * time.Minute)
		f.StopProbe("us-east-2")
		gone := time.Now()
		f.Wait(time.Minute)
		f.StopCoordinator()
		f.StartCoordinator()
		f.Silence("imap", "oceania")
		f.Wait(3 * time.Minute)
		f.Text("/metrics") // has the numbers read
		f.Wait(time.Second)
		text, _ := f.Text("/metrics")
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("promlint: %v, %v", problems, err)
		}
		got := samples(t, text)
		at := float64(time.Now().UnixMicro()) / 1e6
		for series, want := range map[string]func(v float64) bool{
			`varde_ready`:         is(1),
			`varde_plan_revision`: between(1, 20),
			`varde_probe_connected{probe="us-east-1",region="us-east"}`: is(1),
			`varde_probe_connected{probe="us-east-2",region="us-east"}`: is(0),
			// What came before the restart is known from the journal.
			`varde_probe_last_seen_timestamp_seconds{probe="us-east-2",region="us-east"}`:          between(float64(gone.Unix())-interval.Seconds(), float64(gone.Unix())+1),
			`varde_probe_last_seen_timestamp_seconds{probe="us-east-1",region="us-east"}`:          between(at-interval.Seconds(), at),
			`varde_probe_clock_offset_seconds{probe="us-east-1",region="us-east"}`:                 is(0),
			`varde_probe_spool_records{probe="us-east-1",region="us-east"}`:                        between(0, 3),
			`varde_probe_gap_records_total{probe="us-east-1",region="us-east"}`:                    is(0),
			`varde_probe_plan_revision{probe="us-east-1",region="us-east"}`:                        is(got[`varde_plan_revision`]),
			`varde_probe_faults{probe="us-east-1",region="us-east"}`:                               is(0),
			`varde_probe_relayed{probe="us-east-1",region="us-east"}`:                              is(0),
			`varde_probe_qualified{probe="oceania-1",region="oceania"}`:                            is(1),
			`varde_probe_runs_total{probe="us-east-1",region="us-east"}`:                           between(35, 44),
			`varde_probe_late_runs_total{probe="us-east-1",region="us-east"}`:                      is(0),
			`varde_probe_missed_runs_total{probe="us-east-1",region="us-east"}`:                    is(0),
			`varde_probe_dropped_records_total{probe="us-east-1",region="us-east"}`:                is(0),
			`varde_probe_confirms_asked_total{probe="us-east-1",region="us-east"}`:                 is(0),
			`varde_probe_relayed_connections_total{probe="us-east-1",region="us-east"}`:            is(0),
			`varde_probe_notices{probe="us-east-1",region="us-east"}`:                              is(0),
			`varde_probe_certificate_expiry_timestamp_seconds{probe="us-east-1",region="us-east"}`: between(at+20*24*3600, at+31*24*3600),
			`varde_region_newest_observation_timestamp_seconds{region="oceania"}`:                  between(at-interval.Seconds(), at),
			`varde_check_certificate_expiry_timestamp_seconds{check="imap",service="imap"}`:        between(at, at+100*365*24*3600),

			`varde_verdict_state{check="imap",family="ipv4",region="oceania",service="imap",state="down"}`: is(1),
			`varde_verdict_state{check="imap",family="ipv4",region="oceania",service="imap",state="up"}`:   is(0),
			`varde_verdict_state{check="smtp",family="ipv4",region="oceania",service="smtp",state="up"}`:   is(1),

			// Two probes look for 3 minutes and the seconds of the scrape.
			`varde_check_slot_seconds_total{check="imap",family="ipv4",outcome="down",region="oceania",service="imap"}`:               between(330, 390),
			`varde_check_slot_seconds_total{check="imap",family="ipv4",outcome="up",region="oceania",service="imap"}`:                 between(0, 60),
			`varde_check_slot_seconds_total{check="smtp",family="ipv4",outcome="up",region="oceania",service="smtp"}`:                 between(330, 390),
			`varde_check_failures_total{check="imap",class="connect_timeout",region="oceania",service="imap"}`:                        between(11, 13),
			`varde_check_duration_seconds_count{check="smtp",region="oceania",service="smtp"}`:                                        between(11, 13),
			`probe_success{check="imap",family="ipv4",instance="imap/oceania/ipv4",region="oceania",service="imap"}`:                  is(0),
			`probe_success{check="smtp",family="ipv4",instance="smtp/oceania/ipv4",region="oceania",service="smtp"}`:                  is(1),
			`probe_duration_seconds{check="imap",family="ipv4",instance="imap/oceania/ipv4",region="oceania",service="imap"}`:         is(4),
			`probe_ssl_earliest_cert_expiry{check="smtp",family="ipv4",instance="smtp/oceania/ipv4",region="oceania",service="smtp"}`: between(at, at+100*365*24*3600),
			`varde_incidents_open{impact="major"}`:                              is(1),
			`varde_region_measuring_probes{region="us-east"}`:                   is(1),
			`varde_quorum_probes`:                                               is(2),
			`varde_probes{region="us-east",state="silent"}`:                     is(1),
			`varde_service_under_maintenance{region="oceania",service="imap"}`:  is(0),
			`varde_service_availability_ratio{region="oceania",service="imap"}`: between(0.5, 0.65),
			`varde_service_availability_ratio{region="",service="smtp"}`:        is(1),
			`varde_numbers_timestamp_seconds`:                                   between(at-2, at),
			`varde_ingest_queue_batches`:                                        is(0),
			`varde_stream_readers`:                                              is(0),
			`varde_stream_dropped_readers_total`:                                is(0),

			`varde_journal_messages`:                                          between(50, 1000),
			`varde_journal_bytes`:                                             between(10_000, 1e6),
			`varde_journal_reader_lag_messages{reader="told"}`:                is(0),
			`varde_journal_reader_lag_messages{reader="rollup"}`:              between(0, 3),
			`varde_journal_reader_message_timestamp_seconds{reader="told"}`:   between(at-interval.Seconds(), at),
			`varde_journal_reader_message_timestamp_seconds{reader="rollup"}`: between(at-interval.Seconds(), at),
			`varde_history_commits_total`:                                     between(10, 1000),
			`varde_history_failures_total{part="told"}`:                       is(0),
			`varde_history_ignored_observations_total`:                        is(0),
			`varde_ingest_records_total{result="accepted"}`:                   between(50, 1000),
		} {
			if v, ok := got[series]; !ok || !want(v) {
				t.Errorf("%s: got %v, present %t", series, v, ok)
			}
		}
		for series := range got {
			if strings.HasPrefix(series, `varde_probe_qualified{probe="us-east`) || strings.Contains(series, `varde_probe_spool_records{probe="us-east-2"`) ||
				strings.Contains(series, `varde_probe_runs_total{probe="us-east-2"`) || strings.Contains(series, `varde_probe_relayed{probe="us-east-2"`) {
				t.Errorf("%s: nobody said so", series)
			}
		}
		if n := count(got, "varde_verdict_state{"); n != 3*3*5 {
			t.Errorf("%d series of verdicts, want 3 checks x 3 regions x 1 family x 5 states", n)
		}
	})
}

// samples reads the text format.
func samples(t *testing.T, text string) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(strings.TrimSpace(line[i+1:]), 64)
		if err != nil {
			t.Fatal(err)
		}
		out[line[:i]] = v
	}
	return out
}

func count(samples map[string]float64, prefix string) (n int) {
	for series := range samples {
		if strings.HasPrefix(series, prefix) {
			n++
		}
	}
	return n
}

func is(want float64) func(float64) bool { return between(want, want) }

func between(low, high float64) func(float64) bool {
	return func(v float64) bool { return v >= low && v <= high }
}

// sums are the numbers of /api/v1/availability.
type sums struct {
	Availability, Low, High *float64
	Coverage                float64
}

// TestAvailabilitySaysHowSureItIs asks for the numbers of an hour, a part of which
// is down: whole blocks of five minutes work or fail, so that each is one event and not
// the twenty runs in it, and the intervals are as wide as that makes them.
func TestAvailabilitySaysHowSureItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, threeRegions())
		begin := time.Now().Truncate(5 * time.Minute).Add(5 * time.Minute)
		f.Wait(time.Until(begin.Add(10 * time.Minute)))
		f.Silence("imap", "oceania")
		f.Wait(time.Until(begin.Add(20*time.Minute + time.Second)))
		var got struct {
			sums
			Points []struct {
				T time.Time
				sums
			}
		}
		f.Get(fmt.Sprintf("/api/v1/availability?check=imap&region=oceania&step=5m&from=%s&to=%s",
			begin.UTC().Format(time.RFC3339), begin.Add(20*time.Minute).UTC().Format(time.RFC3339)), &got)
		if len(got.Points) != 4 {
			t.Fatalf("got %d points, want 4", len(got.Points))
		}
		// Two probes look every 30 s: 20 runs in five minutes, which come to one. With
		// z = 1.96 the interval of n good runs is n/(n + z²) to 1, and that of n bad ones
		// 0 to z²/(n + z²).
		const z2 = 1.959964 * 1.959964
		expectNumber(t, "all up", got.Points[0].sums, 1, 1/(1+z2), 1)
		expectNumber(t, "all down", got.Points[3].sums, 0, 0, z2/(1+z2))
		// Of the whole, 40 of 80 runs were up, or two of four blocks.
		if a := got.sums; *a.Availability < 0.45 || *a.Availability > 0.55 || *a.Low < 0.12 || *a.Low > 0.2 || *a.High < 0.8 || *a.High > 0.9 {
			t.Errorf("the whole: %v, %v to %v, want about 0.5, 0.15 to 0.85", *a.Availability, *a.Low, *a.High)
		}
	})
}

func expectNumber(t *testing.T, what string, got sums, availability, low, high float64) {
	t.Helper()
	near := func(p *float64, want float64) bool { return p != nil && math.Abs(*p-want) < 1e-4 }
	if !near(got.Availability, availability) || !near(got.Low, low) || !near(got.High, high) {
		text, _ := json.Marshal(got)
		t.Errorf("%s: got %s, want %v, %v to %v", what, text, availability, low, high)
	}
}

// TestEveryObservationOnce follows the links of a list that is read in small
// pages while more arrives.
func TestEveryObservationOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, threeRegions())
		f.Wait(5 * time.Minute)
		to := time.Now().UTC().Format(time.RFC3339Nano)
		want, end := page(t, f, "/api/v1/observations?limit=1000&to="+to)
		if len(want) < 150 || end != "" {
			t.Fatalf("got %d observations, going on at %q, want all of five minutes at once", len(want), end)
		}
		var got []string
		for path := "/api/v1/observations?limit=7"; path != ""; {
			var names []string
			names, path = page(t, f, path)
			got = append(got, names...)
			f.Wait(time.Second)
		}
		if len(got) > 0 && len(got) >= len(want) {
			got = got[len(got)-len(want):] // a few more had arrived before the first page
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("in pages (-at once +in pages):\n%s", d)
		}
	})
}

// page is one page of observations, and the path of the next.
func page(t *testing.T, f *fleettest.Fleet, path string) (names []string, next string) {
	t.Helper()
	text, header := f.Text(path)
	var list []checks.Observation
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	for _, o := range list {
		names = append(names, fmt.Sprintf("%s %s %d", o.Probe, o.Epoch, o.Seq))
	}
	if link := regexp.MustCompile(`^<(/.*)>; rel="next"$`).FindStringSubmatch(header.Get("Link")); link != nil {
		next = link[1]
	}
	return names, next
}

// TestNobodyClaimsToBeFit looks at what a fleet says whose probes try no controls.
func TestNobodyClaimsToBeFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, threeRegions())
		f.Wait(3 * time.Minute)
		for _, p := range f.Probes() {
			if p.Qualified != nil {
				t.Errorf("got qualified %t, want null", *p.Qualified)
			}
		}
		for path, want := range map[string]string{"/": "6 of 6 connected.", "/probes": "not judged", "/check/imap": `aria-current="true">1h</a>`} {
			if text, _ := f.Text(path); !strings.Contains(text, want) || strings.Contains(text, "fit to judge.") {
				t.Errorf("%s does not say %q, or speaks of fitness", path, want)
			}
		}
	})
}

// TestGraphsOfAProbe: the graphs of a region can be of one of its probes; one that was
// away has a gap, and what its probes completed is what the region completed.
func TestGraphsOfAProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, threeRegions())
		f.Wait(4 * time.Minute)
		f.StopProbe("us-east-2")
		f.Wait(4 * time.Minute)
		runs := func(query string) (n float64, steps int) {
			var got struct{ Rows [][]any }
			f.Get("/api/v1/graphs/latency.json?range=1h&check=https&"+query, &got)
			for _, row := range got.Rows {
				n += row[2].(float64)
			}
			return n, len(got.Rows)
		}
		all, _ := runs("region=us-east")
		one, long := runs("probe=us-east-1")
		two, short := runs("probe=us-east-2")
		if all < 20 || one+two != all || two > one*2/3 || short > long-3 {
			t.Errorf("the region completed %v runs, its probes %v in %d minutes and %v in %d", all, one, long, two, short)
		}
		// Its own page counts what of it arrived, and has measured its clock.
		var own struct{ Rows [][]any }
		f.Get("/api/v1/graphs/probe.json?range=1h&probe=us-east-2", &own)
		var list []checks.Observation
		f.Get("/api/v1/observations?limit=1000&probe=us-east-2", &list)
		sum := 0.0
		for _, row := range own.Rows {
			sum += row[2].(float64)
			if offset, ok := row[9].(float64); !ok || offset > 100 || row[7].(float64) > 5 {
				t.Errorf("got %v, want a clock that is measured and results that come soon", row)
			}
		}
		if sum == 0 || int(sum) != len(list) {
			t.Errorf("its page counts %v results, the journal has %d", sum, len(list))
		}
		if body, _ := f.Text("/probe/us-east-2?range=1h"); !strings.Contains(body, "Its program started:") {
			t.Error("the page of the probe does not say when its program started")
		}
		body, _ := f.Text("/check/https?range=1h&probe=us-east-2")
		if !strings.Contains(body, `What <b class="mono">us-east-2</b> alone saw`) || strings.Contains(body, `id="r-oceania"`) {
			t.Error("the page does not say that it is of one probe, or shows other regions")
		}
	})
}
