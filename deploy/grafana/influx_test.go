package grafana

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"varde/deploy/mailstack"
)

// influxServer is a real InfluxDB that can be killed and started.
type influxServer struct {
	t           *testing.T
	url, config string
	process     *exec.Cmd
}

func startInflux(t *testing.T) *influxServer {
	t.Helper()
	_, err := exec.LookPath("influxd")
	mailstack.Need(t, "influxd", err)
	dir, address := t.TempDir(), freeAddress(t)
	i := &influxServer{t: t, url: "http://" + address, config: filepath.Join(dir, "influxdb.conf")}
	text := fmt.Sprintf("reporting-disabled = true\nbind-address = %q\n[meta]\ndir = %q\n[data]\ndir = %q\nwal-dir = %q\n[http]\nbind-address = %q\nflux-enabled = false\nlog-enabled = false\n",
		freeAddress(t), dir+"/meta", dir+"/data", dir+"/wal", address)
	if err := os.WriteFile(i.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.kill)
	i.start()
	i.ask("CREATE DATABASE varde")
	return i
}

// start returns when it answers. Each request has a connection of its own: an idle one
// would hold the time in a bubble.
func (i *influxServer) start() {
	i.t.Helper()
	i.process = exec.Command("influxd", "run", "-config", i.config)
	i.process.SysProcAttr = noOrphans()
	if err := i.process.Start(); err != nil {
		i.t.Fatal(err)
	}
	(&server{i.t, i.url}).eventually("influxd answers", func() bool {
		resp, err := i.client().Get(i.url + "/ping")
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil && resp.StatusCode == http.StatusNoContent
	})
}

func (i *influxServer) kill() {
	_ = i.process.Process.Kill() // it may be gone
	_ = i.process.Wait()         // it was killed
}

func (i *influxServer) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

// ask returns all rows of the answer; the first column is the time in ns.
func (i *influxServer) ask(query string) (rows [][]any) {
	i.t.Helper()
	resp, err := i.client().PostForm(i.url+"/query?db=varde&epoch=ns", url.Values{"q": {query}})
	if err != nil {
		i.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Error   string
		Results []struct {
			Error  string
			Series []struct{ Values [][]any }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		i.t.Fatal(err)
	}
	if len(answer.Results) != 1 || answer.Error+answer.Results[0].Error != "" {
		i.t.Fatalf("%s: %+v", query, answer)
	}
	for _, s := range answer.Results[0].Series {
		rows = append(rows, s.Values...)
	}
	return rows
}

// dashboards asks every query of those that ask InfluxDB.
func (i *influxServer) dashboards(over span) {
	filter := fmt.Sprintf("time >= %d AND time <= %d", over.from.UnixNano(), over.to.UnixNano())
	asked := 0
	for _, d := range All() {
		if d.Source != InfluxDB {
			continue
		}
		for _, p := range d.Panels {
			for _, q := range p.Queries {
				asked++
				rows := i.ask(strings.NewReplacer("$timeFilter", filter, "$__interval", "1m").Replace(fill(q.Expr)))
				if !slices.ContainsFunc(rows, func(r []any) bool { return len(r) > 1 && r[1] != nil }) {
					i.t.Errorf("%s, %s: %d rows and no value: %s", d.UID, p.Title, len(rows), q.Expr)
				}
			}
		}
		for _, v := range d.Variables {
			if rows := i.ask(v.Query); len(rows) == 0 {
				i.t.Errorf("%s: variable %s has no values: %s", d.UID, v.Name, v.Query)
			}
		}
	}
	if asked == 0 {
		i.t.Error("no dashboard asks InfluxDB")
	}
}

// complete wants as many points there as the coordinator says that it wrote, as many
// observations as it says that it took, and none lost although the server was killed.
func (i *influxServer) complete(scraped string) {
	i.t.Helper()
	count := func(measurement, field string) float64 {
		rows := i.ask(fmt.Sprintf(`SELECT count(%q) FROM %q`, field, measurement))
		if len(rows) != 1 {
			i.t.Fatalf("%s: %v", measurement, rows)
		}
		return rows[0][1].(float64)
	}
	observations, verdicts := count("varde_observation", "up"), count("varde_verdict", "state")
	number := func(name string) float64 {
		m := regexp.MustCompile(`(?m)^` + name + `\{mirror="influx"\} (\S+)$`).FindStringSubmatch(scraped)
		if m == nil {
			i.t.Fatalf("no %s was scraped", name)
		}
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			i.t.Fatal(err)
		}
		return n
	}
	for name, want := range map[string]float64{
		"varde_mirror_up": 1, "varde_mirror_refused": 0, "varde_mirror_behind_entries": 0, "varde_mirror_refused_points_total": 0,
		"varde_mirror_missed_entries_total": 0, "varde_mirror_written_points_total": observations + verdicts,
	} {
		if got := number(name); got != want {
			i.t.Errorf("%s is %v, want %v (%v observations, %v verdicts there)", name, got, want, observations, verdicts)
		}
	}
	if observations < 500 || verdicts < 3 {
		i.t.Errorf("%v observations and %v verdicts there, want those of twenty minutes of six probes", observations, verdicts)
	}
	i.t.Logf("%v observations, %v verdicts", observations, verdicts)
}
