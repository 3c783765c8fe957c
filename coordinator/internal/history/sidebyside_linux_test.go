package history

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"varde/checks"
)

// BenchmarkSideBySide keeps the same observations here, in VictoriaMetrics and in
// Prometheus, as packages of Debian have them, and says of each what it takes on disk, which
// time of processors the writing took, and how long it takes to say how available one
// service was over all regions and how long its runs took, hour by hour. The others hold an
// observation as blackbox_exporter would tell it: success, duration, and a series a phase;
// Prometheus reads it with promtool from text, VictoriaMetrics from lines of JSON. VARDE_HOURS
// says how many hours there are, an even number, 2 if it does not:
//
//	VARDE_HOURS=24 go test -run '^$' -bench SideBySide -benchtime 1x -timeout 1h ./coordinator/internal/history
func BenchmarkSideBySide(b *testing.B) {
	for _, program := range []string{"victoria-metrics", "prometheus", "promtool"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Skipf("needs %s: %v (deploy/testservers/install.sh installs it)", program, err)
		}
	}
	hours := 2
	if text := os.Getenv("VARDE_HOURS"); text != "" {
		var err error
		if hours, err = strconv.Atoi(text); err != nil || hours < 2 || hours%2 != 0 {
			b.Fatalf("VARDE_HOURS: got %q, expected an even number of hours", text)
		}
	}
	end := time.Now().UTC().Truncate(2 * time.Hour)
	r := race{b: b, provider: newProvider(), begin: end.Add(-time.Duration(hours) * time.Hour), end: end}
	keepers := []contender{newOurs(r), newVictoria(r), newPrometheus(r)}
	for at := r.begin; at.Before(end); at = at.Add(2 * time.Hour) {
		var entries []Entry
		for m := at; m.Before(at.Add(2 * time.Hour)); m = m.Add(time.Minute) {
			entries = append(entries, r.provider.entries(m, m.Add(time.Minute))...)
		}
		for _, k := range keepers {
			k.write(entries)
		}
	}
	observations := float64(hours * 3600 * providerRate)
	lines := []string{fmt.Sprintf("%.0f observations of 500 tracks", observations), "| | bytes an observation | ratio | µs of CPU each | ratio | query | ratio |", "| --- | --- | --- | --- | --- | --- | --- |"}
	var first result
	for i, k := range keepers {
		got := k.finish()
		if i == 0 {
			first = got
		}
		if math.Abs(got.available-first.available) > 0.001 {
			b.Errorf("%s says that %.5f was available, want %.5f as here", got.name, got.available, first.available)
		}
		bytes, cpu, query := float64(got.bytes)/observations, got.cpu.Seconds()*1e6/observations, got.query.Seconds()*1e3
		lines = append(lines, fmt.Sprintf("| %s | %.2f | %.2f | %.2f | %.2f | %.1f ms | %.2f |", got.name, bytes, float64(got.bytes)/float64(first.bytes),
			cpu, got.cpu.Seconds()/first.cpu.Seconds(), query, got.query.Seconds()/first.query.Seconds()))
		b.ReportMetric(bytes, "B/observation-"+got.name)
		b.ReportMetric(cpu, "us/observation-"+got.name)
		b.ReportMetric(query, "ms/query-"+got.name)
	}
	b.Log("\n" + strings.Join(lines, "\n"))
}

// race is what all of them keep.
type race struct {
	b          *testing.B
	provider   *provider
	begin, end time.Time
}

// contender keeps observations.
type contender interface {
	write([]Entry)
	finish() result
}

// result is what that took; available is what it says of the service.
type result struct {
	name       string
	bytes      int64
	cpu, query time.Duration
	available  float64
}

// asked is the service that all are asked about.
const asked = "service-3"

// fastest is the shortest time that something took of nine.
func fastest(f func()) time.Duration {
	took := time.Hour
	for range 9 {
		began := time.Now()
		f()
		took = min(took, time.Since(began))
	}
	return took
}

// sizeOf is what the files below a folder take.
func sizeOf(b *testing.B, dir string) (n int64) {
	b.Helper()
	must(b, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		n += info.Size()
		return err
	}))
	return n
}

// ours is the history as BenchmarkHistory keeps it.
type ours struct {
	race
	*keeper
	dir string
}

func newOurs(r race) *ours {
	dir := r.b.TempDir()
	return &ours{r, newKeeper(r.b, r.provider, dir), dir}
}

func (o *ours) write(entries []Entry) {
	for list := range slices.Chunk(entries, 60) {
		o.take(o.b, list)
	}
}

func (o *ours) finish() (out result) {
	before := spent(o.b)
	must(o.b, o.rollup.flush())
	o.spent += spent(o.b) - before
	for _, file := range []string{historyFile, monthName(o.begin), monthName(o.end)} {
		path := filepath.Join(o.dir, file)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		db, err := openSQLite(path, "NORMAL", 1)
		must(o.b, err)
		_, err = db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
		must(o.b, err)
		must(o.b, db.Close())
	}
	out = result{name: "varde", bytes: sizeOf(o.b, o.dir), cpu: o.spent}
	out.query = fastest(func() {
		q := Query{Service: asked, From: o.begin, To: o.end, Step: time.Hour}
		a, _, err := o.store.AvailabilityAndLatency(context.Background(), q)
		must(o.b, err)
		out.available = *a.Availability
	})
	return out
}

// samples calls fn with every series of some entries: its labels, times in milliseconds and
// values.
func samples(entries []Entry, fn func(name, labels string, at []int64, values []float64)) {
	type series struct {
		at     []int64
		values []float64
	}
	all := map[[2]string]*series{}
	add := func(name, labels string, at time.Time, v float64) {
		s := all[[2]string{name, labels}]
		if s == nil {
			s = new(series)
			all[[2]string{name, labels}] = s
		}
		s.at, s.values = append(s.at, at.UnixMilli()), append(s.values, v)
	}
	for _, e := range entries {
		for _, batch := range e.Batches {
			for _, r := range batch.Records {
				o := r.Observation
				labels := fmt.Sprintf(`check=%q,service=%q,region=%q,probe=%q`, o.Check, o.Service, o.Region, o.Probe)
				up := 0.0
				if o.Outcome == checks.Up {
					up = 1
				}
				add("probe_success", labels, o.Scheduled, up)
				add("probe_duration_seconds", labels, o.Scheduled, o.Elapsed.Seconds())
				for _, p := range o.Phases {
					add("probe_phase_seconds", labels+fmt.Sprintf(`,phase=%q`, p.Name), o.Scheduled, p.Duration.Seconds())
				}
			}
		}
	}
	var keys [][2]string
	for k := range all {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return strings.Compare(a[0]+" "+a[1], b[0]+" "+b[1]) })
	for _, k := range keys {
		fn(k[0], k[1], all[k].at, all[k].values)
	}
}

// process is another program that is asked over HTTP.
type process struct {
	race
	dir, url string
	cmd      *exec.Cmd
}

func newProcess(r race) process {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(r.b, err)
	must(r.b, l.Close())
	return process{race: r, dir: r.b.TempDir(), url: "http://" + l.Addr().String()}
}

func (p *process) start(ready, name string, args ...string) {
	p.b.Helper()
	p.cmd = exec.Command(name, args...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(p.b, p.cmd.Start())
	cmd := p.cmd
	p.b.Cleanup(func() { // one that was stopped is gone already
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(time.Minute); ; {
		r, err := http.Get(p.url + ready)
		if err == nil {
			must(p.b, r.Body.Close())
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			p.b.Fatalf("%s does not answer: %v", name, err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// stop ends the process and returns the time of processors that it took.
func (p *process) stop() time.Duration {
	p.b.Helper()
	must(p.b, p.cmd.Process.Signal(os.Interrupt))
	_ = p.cmd.Wait() // a signal is no success
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

func (p *process) get(path string, form url.Values) []byte {
	p.b.Helper()
	r, err := http.PostForm(p.url+path, form)
	must(p.b, err)
	body, err := io.ReadAll(r.Body)
	must(p.b, err)
	must(p.b, r.Body.Close())
	if r.StatusCode/100 != 2 {
		p.b.Fatalf("%s %v: %s: %.300s", path, form, r.Status, body)
	}
	return body
}

// ask asks the questions, and returns the mean of what was available: the regions are
// weighted as here.
func (p *process) ask() (took time.Duration, available float64) {
	ranged := func(query string) []byte {
		return p.get("/api/v1/query_range", url.Values{
			"query": {query}, "step": {"3600"}, "start": {fmt.Sprint(p.begin.Add(time.Hour).Unix())}, "end": {fmt.Sprint(p.end.Unix())},
		})
	}
	took = fastest(func() {
		ranged(fmt.Sprintf(`avg by (region) (avg_over_time(probe_success{service=%q}[1h]))`, asked))
		for _, q := range []string{"0.5", "0.95", "0.99"} {
			ranged(fmt.Sprintf(`max by (region) (quantile_over_time(%s, probe_duration_seconds{service=%q}[1h]))`, q, asked))
		}
	})
	var answer struct {
		Data struct {
			Result []struct {
				Metric struct{ Region string }
				Value  [2]any
			}
		}
	}
	whole := fmt.Sprintf(`avg by (region) (avg_over_time(probe_success{service=%q}[%ds]))`, asked, int(p.end.Sub(p.begin).Seconds()))
	must(p.b, json.Unmarshal(p.get("/api/v1/query", url.Values{"time": {fmt.Sprint(p.end.Unix())}, "query": {whole}}), &answer))
	weights := 0.0
	for _, r := range answer.Data.Result {
		v, err := strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64)
		must(p.b, err)
		w := p.provider.config.weight(r.Metric.Region)
		available, weights = available+w*v, weights+w
	}
	return took, available / weights
}

// victoria is VictoriaMetrics.
type victoria struct{ process }

func newVictoria(r race) *victoria {
	v := &victoria{newProcess(r)}
	v.run()
	return v
}

func (v *victoria) run() {
	v.start("/health", "victoria-metrics", "-storageDataPath="+v.dir, "-httpListenAddr="+strings.TrimPrefix(v.url, "http://"),
		"-retentionPeriod=100y", "-search.latencyOffset=0s", "-search.disableCache", "-loggerLevel=ERROR")
}

func (v *victoria) write(entries []Entry) {
	var body bytes.Buffer
	samples(entries, func(name, labels string, at []int64, values []float64) {
		metric := `"__name__":"` + name + `"`
		for _, label := range strings.Split(labels, ",") {
			key, value, _ := strings.Cut(label, "=")
			metric += `,"` + key + `":` + value
		}
		times, err := json.Marshal(at)
		must(v.b, err)
		numbers, err := json.Marshal(values)
		must(v.b, err)
		fmt.Fprintf(&body, "{\"metric\":{%s},\"values\":%s,\"timestamps\":%s}\n", metric, numbers, times)
	})
	r, err := http.Post(v.url+"/api/v1/import", "application/json", &body)
	must(v.b, err)
	must(v.b, r.Body.Close())
	if r.StatusCode/100 != 2 {
		v.b.Fatalf("import: %s", r.Status)
	}
}

func (v *victoria) finish() result {
	v.get("/internal/force_flush", nil)
	v.get("/internal/force_merge", nil)
	<-time.After(2 * time.Second) // it merges on its own time
	out := result{name: "VictoriaMetrics", cpu: v.stop(), bytes: sizeOf(v.b, v.dir)}
	v.run()
	out.query, out.available = v.ask()
	v.stop()
	return out
}

// prometheus is Prometheus.
type prometheus struct {
	process
	cpu time.Duration
}

func newPrometheus(r race) *prometheus { return &prometheus{process: newProcess(r)} }

func (p *prometheus) write(entries []Entry) {
	text := filepath.Join(p.b.TempDir(), "observations")
	f, err := os.Create(text)
	must(p.b, err)
	w := bufio.NewWriter(f)
	last := ""
	samples(entries, func(name, labels string, at []int64, values []float64) {
		if name != last {
			fmt.Fprintf(w, "# TYPE %s gauge\n", name)
			last = name
		}
		for i := range at {
			fmt.Fprintf(w, "%s{%s} %v %d.%03d\n", name, labels, values[i], at[i]/1000, at[i]%1000)
		}
	})
	fmt.Fprintln(w, "# EOF")
	must(p.b, w.Flush())
	must(p.b, f.Close())
	cmd := exec.Command("promtool", "tsdb", "create-blocks-from", "openmetrics", text, p.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.b.Fatalf("promtool: %v: %.500s", err, out)
	}
	p.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	must(p.b, os.Remove(text))
}

func (p *prometheus) finish() result {
	config := filepath.Join(p.b.TempDir(), "prometheus.yml")
	must(p.b, os.WriteFile(config, []byte("global: {scrape_interval: 1h}\n"), 0o600))
	out := result{name: "Prometheus", bytes: sizeOf(p.b, p.dir)}
	p.start("/-/ready", "prometheus", "--config.file="+config, "--storage.tsdb.path="+p.dir, "--storage.tsdb.retention.time=100y",
		"--web.listen-address="+strings.TrimPrefix(p.url, "http://"), "--log.level=error")
	out.query, out.available = p.ask()
	p.stop()
	out.cpu = p.cpu
	return out
}
