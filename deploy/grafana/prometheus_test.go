package grafana

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"varde/deploy/mailstack"
)

// server is a running Prometheus.
type server struct {
	t   *testing.T
	url string
}

// serve starts Prometheus on a folder of blocks. It scrapes the given text every
// second, as README.md says to scrape a coordinator, and evaluates our rules.
func serve(t *testing.T, data, scraped string) *server {
	t.Helper()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte(scraped)) // a scrape that goes away is seen by its absence
	}))
	t.Cleanup(target.Close)
	rules, err := filepath.Abs(RulesFile)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "prometheus.yml")
	text := fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: varde
    honor_labels: true
    static_configs: [{targets: [%q]}]
`, rules, target.Listener.Addr())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	cmd := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+data,
		"--storage.tsdb.retention.time=100y", "--web.listen-address="+address, "--log.level=warn")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &log, &log, noOrphans()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("prometheus: %s", &log)
		}
	})
	s := &server{t, "http://" + address}
	s.eventually("ready", func() bool {
		resp, err := http.Get(s.url + "/-/ready")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return s
}

// freeAddress is one of loopback that is free now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// eventually polls a real server; there is no bubble around it.
func (s *server) eventually(what string, ok func() bool) {
	s.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// line is one series of an answer.
type line struct {
	Metric map[string]string `json:"metric"`
	Values [][2]any          `json:"values"`
	Value  [2]any            `json:"value"`
}

// known are the times at which the line has a number, in seconds.
func (l line) known() (at []float64) {
	for _, v := range append(l.Values, l.Value) {
		text, _ := v[1].(string)
		if n, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(n) {
			at = append(at, v[0].(float64))
		}
	}
	return at
}

// get asks the API.
func (s *server) get(path string, values url.Values, into any) error {
	resp, err := http.Get(s.url + path + "?" + values.Encode())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", answer.Status, answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}

// span is a stretch of time with the pace of scrapes in it.
type span struct {
	from, to time.Time
	step     time.Duration
}

// query asks for a stretch of time, and for its last instant where it is zero long.
func (s *server) query(expr string, over span) ([]line, error) {
	var data struct{ Result []line }
	seconds := func(at time.Time) string { return strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64) }
	err := s.get("/api/v1/query_range", url.Values{
		"query": {expr}, "start": {seconds(over.from)}, "end": {seconds(over.to)}, "step": {fmt.Sprint(over.step.Seconds())},
	}, &data)
	return data.Result, err
}

// promtool runs Prometheus's tool.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
		t.Fatalf("promtool %v: %v\n%s", args, err, out)
	}
}

func needPrometheus(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("prometheus")
	if err == nil {
		_, err = exec.LookPath("promtool")
	}
	mailstack.Need(t, "prometheus", err)
}

// TestRules: promtool takes them, and each fires for what it is for and not for less.
func TestRules(t *testing.T) {
	needPrometheus(t)
	promtool(t, "check", "rules", RulesFile)
	promtool(t, "test", "rules", "testdata/rules.test.yml")
}
