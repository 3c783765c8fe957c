package realhistory

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/server"
)

// page is one of which the sites are called in the form of the page's own language.
func page() Page {
	return Page{
		Probe: "page-1", Region: "world", Every: 5 * time.Minute,
		Sites: map[string]Check{"Webmail": {"webmail", "webmail"}, "Palvelun API": {"api", "webmail"}},
	}
}

// sample is a day: the newest commit first, as git shows them.
const sample = `2022-04-03T23:00:00+00:00 🟩 Webmail is up (200 in 700 ms) [skip ci] [upptime]
2022-04-03T17:22:27+00:00 🟩 Webmail is up (200 in 577 ms) [skip ci] [upptime]
2022-04-03T17:22:24+00:00 🟩 Palvelun API is up (200 in 779 ms) [skip ci] [upptime]
2022-04-03T14:00:00+00:00 :bento: Update graphs [skip ci]
2022-04-03T13:33:23+00:00 🟥 Webmail is down (0 in 0 ms) [skip ci] [upptime]
2022-04-03T13:32:50+00:00 🟥 Palvelun API is down (404 in 638 ms) [skip ci] [upptime]
2022-04-03T06:00:00+02:00 🟨 Elsewhere is degraded (200 in 31000 ms) [skip ci] [upptime]
2022-04-03T02:00:00+02:00 🟩 Webmail is up (200 in 600 ms) [skip ci] [upptime]
2022-04-03T00:00:00+00:00 🟩 Palvelun API is up (200 in 800 ms) [skip ci] [upptime]
2022-04-01T00:00:00+00:00 Initial commit
`

func looks(t *testing.T) []Look {
	t.Helper()
	out, err := ReadLog(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	out, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReadLog(t *testing.T) {
	got := looks(t)
	if len(got) != 8 || !slices.IsSortedFunc(got, func(a, b Look) int { return a.At.Compare(b.At) }) {
		t.Fatalf("got %v, want 8 looks in order", got)
	}
	want := Look{At: at(t, "2022-04-03T13:32:50Z"), Site: "Palvelun API", Status: 404, Took: 638 * time.Millisecond}
	if diff := cmp.Diff(want, got[3]); diff != "" {
		t.Error(diff)
	}
	if slow := got[2]; !slow.Up || slow.At != at(t, "2022-04-03T04:00:00Z") {
		t.Errorf("got %+v, want it up, by UTC", slow)
	}
}

func TestReadLogRefuses(t *testing.T) {
	for text, want := range map[string]string{
		sample + "2022-04-03T13:33:23+00:00 🟥 Webmail is gone": `line 11: got "🟥 Webmail is gone", expected SITE is up, down or degraded`,
		"2022-13-03T13:33:23+00:00 🟥 A is down (0 in 0 ms)":    `line 1: got "2022-13-03T13:33:23+00:00`,
		strings.Repeat("a", 1<<17):                             "line 1: bufio.Scanner: token too long",
	} {
		if _, err := ReadLog(strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.60q: got %v, want %s", text, err, want)
		}
	}
}

func TestOutages(t *testing.T) {
	var got []string
	for _, o := range Outages(append(looks(t), Look{At: at(t, "2022-04-04T00:00:00Z"), Site: "Webmail", Status: 502})) {
		got = append(got, o.String())
	}
	want := []string{
		"Palvelun API down from 2022-04-03T13:32:50Z to 2022-04-03T17:22:24Z (3h50m0s), status 404",
		"Webmail down from 2022-04-03T13:33:23Z to 2022-04-03T17:22:27Z (3h49m0s), status 0",
		"Webmail down from 2022-04-04T00:00:00Z to the end, status 502",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestObservations: one every five minutes of each site, none closer than half of that
// to what was written down, each with what held at its time.
func TestObservations(t *testing.T) {
	from, to := at(t, "2022-04-03T00:00:00Z"), at(t, "2022-04-04T00:00:00Z")
	got := page().Observations(looks(t), from, to)
	count, last, slow := map[string]int{}, map[string]time.Time{}, 0
	for i, o := range got {
		if o.Seq != uint64(i+1) || o.Started.Before(from) || !o.Started.Before(to) || i > 0 && o.End().Before(got[i-1].End()) {
			t.Fatalf("number %d: got %+v", i, o)
		}
		if before := last[o.Check]; !before.IsZero() && (o.Started.Sub(before) < page().Every/2 || o.Started.Sub(before) > page().Every*3/2) {
			t.Errorf("%s: %s after the one before", o.Check, o.Started.Sub(before))
		}
		last[o.Check] = o.Started
		if usual := map[string]time.Duration{"webmail": 600, "api": 800}[o.Check] * time.Millisecond; o.Outcome == checks.Up && o.Elapsed != usual {
			slow++
		}
		bad := !o.Started.Before(at(t, "2022-04-03T13:33:23Z")) && o.Started.Before(at(t, "2022-04-03T17:22:24Z"))
		if bad && o.Outcome != checks.Down || o.Service != "webmail" {
			t.Errorf("got %+v, want it down", o)
		}
		if o.Outcome == checks.Down {
			count[o.Check+" "+string(o.Class)]++
		}
	}
	if want := map[string]int{"webmail connect_timeout": 46, "api http_status": 46}; !cmp.Equal(want, count) {
		t.Errorf("got failures %v, want %v", count, want)
	}
	if len(got) < 570 || len(got) > 580 {
		t.Errorf("got %d observations of a day of two sites, want about 576", len(got))
	}
	// What was written down once is no usual time.
	if slow != 3 {
		t.Errorf("got %d runs that took another time than usual, want those of 577, 700 and 779 ms", slow)
	}
	// A part of the day is that part of it.
	part := page().Observations(looks(t), at(t, "2022-04-03T13:00:00Z"), at(t, "2022-04-03T14:00:00Z"))
	if len(part) != 26 || part[0].Started.Hour() != 13 {
		t.Errorf("got %d observations in an hour of two sites, want 24 and the two that something changed by", len(part))
	}
}

// TestWritten: a recording has one observation a line, in the form that others read.
func TestWritten(t *testing.T) {
	list := page().Observations(looks(t), at(t, "2022-04-03T13:00:00Z"), at(t, "2022-04-03T14:00:00Z"))
	var b bytes.Buffer
	if err := Write(&b, list); err != nil {
		t.Fatal(err)
	}
	for i, line := range bytes.Split(bytes.TrimSpace(b.Bytes()), []byte("\n")) {
		var o checks.Observation
		if err := json.Unmarshal(line, &o); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(list[i], o); diff != "" {
			t.Errorf("line %d: %s", i+1, diff)
		}
	}
}

// TestConfig: the configuration is one that a coordinator takes.
func TestConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "coordinator.yaml")
	if err := os.WriteFile(path, []byte(page().Config()), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := server.Load(path)
	if err != nil || len(c.Checks) != 2 || len(c.Services) != 1 || c.MinProbes != 1 {
		t.Errorf("got %d checks of %d services, %v", len(c.Checks), len(c.Services), err)
	}
}

func FuzzReadLog(f *testing.F) {
	f.Add(sample)
	f.Add("2022-04-03T13:33:23+00:00 🟥  is down (0 in 0 ms)")
	f.Fuzz(func(t *testing.T, text string) {
		looks, err := ReadLog(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, o := range Outages(looks) {
			if !o.To.IsZero() && o.To.Before(o.From) {
				t.Errorf("%s", o)
			}
		}
	})
}
