package mirror

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"varde/checks"
)

// database is a real series server, as a process that can be stopped and started.
type database struct {
	t       *testing.T
	url     string
	command func() *exec.Cmd
	process *exec.Cmd
}

// need skips without a program, and fails where VARDE_REQUIRE lists it.
func need(t *testing.T, program string) {
	t.Helper()
	switch _, err := exec.LookPath(program); {
	case err == nil:
	case slices.Contains(strings.Split(os.Getenv("VARDE_REQUIRE"), ","), program):
		t.Fatalf("%s is required and missing: %v", program, err)
	default:
		t.Skipf("needs %s: %v (deploy/testservers/install.sh installs it)", program, err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// influx is InfluxDB 1.8 with a database and a user.
func influx(t *testing.T) *database {
	need(t, "influxd")
	dir, at := t.TempDir(), freePort(t)
	config := filepath.Join(dir, "influxdb.conf")
	text := fmt.Sprintf("reporting-disabled = true\nbind-address = %q\n[meta]\ndir = %q\n[data]\ndir = %q\nwal-dir = %q\n[http]\nbind-address = %q\nflux-enabled = false\nauth-enabled = true\nlog-enabled = false\n",
		freePort(t), dir+"/meta", dir+"/data", dir+"/wal", at)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &database{t: t, url: "http://" + at, command: func() *exec.Cmd { return exec.Command("influxd", "run", "-config", config) }}
	d.start("/ping")
	d.query("CREATE USER prober WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
	d.query("CREATE DATABASE varde")
	return d
}

// victoria is VictoriaMetrics as DESIGN.md says that it is to be run.
func victoria(t *testing.T) *database {
	need(t, "victoria-metrics")
	dir, at := t.TempDir(), freePort(t)
	d := &database{t: t, url: "http://" + at, command: func() *exec.Cmd {
		return exec.Command("victoria-metrics", "-storageDataPath="+dir, "-httpListenAddr="+at, "-retentionPeriod=100y", "-dedup.minScrapeInterval=1ms", "-search.latencyOffset=0s")
	}}
	d.start("/health")
	return d
}

// start starts the process and waits until it answers.
func (d *database) start(path string) {
	d.t.Helper()
	d.process = d.command()
	d.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.process.Start(); err != nil {
		d.t.Fatal(err)
	}
	process := d.process
	d.t.Cleanup(func() { // one that was stopped is gone already
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	eventually(d.t, d.url+" answers", func() bool {
		r, err := http.Get(d.url + path)
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode < 300
	})
}

func (d *database) stop(s os.Signal) {
	if err := d.process.Process.Signal(s); err != nil {
		d.t.Fatal(err)
	}
	_ = d.process.Wait() // a signal is no success
}

func (d *database) get(path string, form url.Values) []byte {
	d.t.Helper()
	r, err := http.PostForm(d.url+path, form)
	if err != nil {
		d.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		d.t.Fatalf("%s %v: %s, %v: %.300s", path, form, r.Status, err, b)
	}
	return b
}

// query asks InfluxDB and returns the rows.
func (d *database) query(q string) [][]any {
	d.t.Helper()
	var answer struct {
		Results []struct {
			Error  string
			Series []struct{ Values [][]any }
		}
	}
	b := d.get("/query?u=prober&p=secret&db=varde&epoch=ns", url.Values{"q": {q}})
	if err := json.Unmarshal(b, &answer); err != nil {
		d.t.Fatal(err)
	}
	if len(answer.Results) != 1 || answer.Results[0].Error != "" {
		d.t.Fatalf("%s: %s", q, b)
	}
	if len(answer.Results[0].Series) == 0 {
		return nil
	}
	return answer.Results[0].Series[0].Values
}

// exported is how many samples VictoriaMetrics has of a series' name, and their sum.
func (d *database) exported(name string) (n int, sum float64) {
	d.t.Helper()
	d.get("/internal/force_flush", nil)
	lines := bufio.NewScanner(strings.NewReader(string(d.get("/api/v1/export", url.Values{"match[]": {name}, "reduce_mem_usage": {"0"}}))))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var series struct{ Values []float64 }
		if err := json.Unmarshal(lines.Bytes(), &series); err != nil {
			d.t.Fatal(err)
		}
		for _, v := range series.Values {
			n, sum = n+1, sum+v
		}
	}
	return n, sum
}

// sums are what a server must have of a journal: its observations, their milliseconds,
// and how many were down.
func (j *journal) sums() (n int, elapsed float64, down int) {
	for _, e := range j.entries {
		for _, b := range e.Batches {
			o := b.Records[0].Observation
			n, elapsed = n+1, elapsed+checks.Milliseconds(o.Elapsed)
			if o.Outcome == checks.Down {
				down++
			}
		}
	}
	return n, elapsed, down
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(time.Minute); !is(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited a minute for: %s", what)
		}
	}
}

// mirrored runs a mirror until the server has everything, and returns its state.
func mirrored(t *testing.T, target Target, o Options, while func(*Mirrors)) State {
	t.Helper()
	g := New(o)
	g.Set([]Target{target})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- g.Run(ctx) }()
	eventually(t, "the mirror runs", func() bool { return len(g.States()) == 1 && g.States()[0].Written > 0 })
	while(g)
	eventually(t, "the mirror has caught up", func() bool {
		s := g.States()[0]
		return s.Up && s.Behind == 0
	})
	s := g.States()[0]
	cancel()
	<-done
	return s
}

// throughAnOutage runs a mirror through a stop of the server, and then again from an
// older place, as after a crash between a write and its place.
func throughAnOutage(t *testing.T, d *database, health string, stop os.Signal, target Target) *journal {
	t.Helper()
	j, dir := &journal{}, t.TempDir()
	j.grow(2000)
	o := options(t, dir, j, tell(7))
	o.Secret = func(string) (string, error) { return "prober:secret", nil }
	var older []byte
	s := mirrored(t, target, o, func(g *Mirrors) {
		var err error
		if older, err = os.ReadFile(placeFile(dir, target.ID)); err != nil {
			t.Fatal(err)
		}
		d.stop(stop)
		j.grow(3000)
		eventually(t, "the outage shows", func() bool { return !g.States()[0].Up && g.States()[0].Behind >= 3000 })
		d.start(health)
	})
	if s.Written != 15007 || s.Missed != 0 || s.Dropped != 0 {
		t.Errorf("after the outage: %+v, want 15007 points written and none lost", s)
	}
	if err := os.WriteFile(placeFile(dir, target.ID), older, 0o600); err != nil {
		t.Fatal(err)
	}
	j.grow(1)
	mirrored(t, target, o, func(*Mirrors) {})
	return j
}

// TestInflux: InfluxDB 1.8 that is killed has all that the journal has when it is back,
// value by value, and nothing twice.
func TestInflux(t *testing.T) {
	d := influx(t)
	j := throughAnOutage(t, d, "/ping", syscall.SIGKILL, Target{ID: "influx", URL: d.url, Bucket: "varde/autogen", TokenFile: "x"})
	rows := d.query(`SELECT time, probe, elapsed_ms, up, down, class, failed_phase, phase_resolve_ms FROM varde_observation`)
	n, _, _ := j.sums()
	if len(rows) != n {
		t.Errorf("%d rows, want %d", len(rows), n)
	}
	got := map[string]bool{}
	for _, r := range rows {
		got[fmt.Sprintf("%s elapsed_ms=%v up=%vi down=%vi", r[1], r[2], r[3], r[4])] = true
	}
	for _, e := range j.entries {
		for _, b := range e.Batches {
			o := b.Records[0].Observation
			want := fmt.Sprintf("%s elapsed_ms=%v up=%vi down=%vi", o.Probe, checks.Milliseconds(o.Elapsed), is(o.Outcome == checks.Up), is(o.Outcome == checks.Down))
			if !got[want] {
				t.Fatalf("no row has %s", want)
			}
		}
	}
	if rows := d.query(`SELECT state FROM varde_verdict`); len(rows) != 7 {
		t.Errorf("%d verdicts, want 7", len(rows))
	}
}

// TestInfluxRefuses: the words of a real server reach the operators, and what it drops
// for the type of a field is counted.
func TestInfluxRefuses(t *testing.T) {
	d := influx(t)
	j := &journal{}
	j.grow(1)
	write := func(user, bucket string) *failure {
		t.Helper()
		c := newClient(Target{ID: "m", URL: d.url, Bucket: bucket, TokenFile: "x"}, func(string) (string, error) { return user, nil })
		err := c.write(t.Context(), newScheme(func(string) string { return "" }).batch(&j.entries[0].Batches[0]))
		f := new(failure)
		if !errors.As(err, &f) {
			t.Fatalf("got %v, want a failure", err)
		}
		return f
	}
	if f := write("prober:wrong", "varde/autogen"); f == nil || !f.refused || f.words != "401: authorization failed" {
		t.Errorf("with a wrong password: %+v", f)
	}
	if f := write("prober:secret", "nowhere/autogen"); f == nil || !f.refused || f.words != `404: database not found: "nowhere"` {
		t.Errorf("without a database: %+v", f)
	}
	d.query("CREATE DATABASE other")
	if r, err := http.Post(d.url+"/write?db=other&u=prober&p=secret", "text/plain", strings.NewReader("varde_observation,a=b up=1.5 1793491201000000000")); err != nil || r.Body.Close() != nil {
		t.Fatal(err)
	}
	if f := write("prober:secret", "other/autogen"); f == nil || f.dropped != 1 || !strings.Contains(f.words, `input field "up"`) {
		t.Errorf("with a field of another type: %+v", f)
	}
}

// TestVictoria: VictoriaMetrics as well, whose samples have milliseconds and are told
// apart by them.
func TestVictoria(t *testing.T) {
	d := victoria(t)
	j := throughAnOutage(t, d, "/health", syscall.SIGTERM, Target{ID: "victoria", URL: d.url, Bucket: "varde"})
	n, elapsed, down := j.sums()
	// What another of its goroutines is flushing at the moment cannot be searched.
	eventually(t, "the newest samples are shown", func() bool { got, _ := d.exported("varde_observation_elapsed_ms"); return got >= n })
	if got, sum := d.exported("varde_observation_elapsed_ms"); got != n || sum != elapsed {
		t.Errorf("%d samples of %v ms, want %d of %v", got, sum, n, elapsed)
	}
	if got, sum := d.exported("varde_observation_down"); got != n || int(sum) != down {
		t.Errorf("%d samples with %v down, want %d with %d", got, sum, n, down)
	}
	if got, _ := d.exported("varde_verdict_state"); got != 7 {
		t.Errorf("%d verdicts, want 7", got)
	}
}
