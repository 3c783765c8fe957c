package ops

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
)

// TestNumbersAreThoseDrawn: each title of a bar and of a mark says what a row says, and
// CSV and JSON are the same.
func TestNumbersAreThoseDrawn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake(), nil)
		const query = "range=6h&region=oceania"
		page := get(s, "/check/imap-login?"+query).Body.String()
		for _, name := range graphs() {
			var d drawn
			w := get(s, "/api/v1/graphs/"+name+".json?check=imap-login&"+query)
			if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || len(d.Rows) == 0 {
				t.Fatalf("%s: %d rows, %v", name, len(d.Rows), err)
			}
			lines, err := csv.NewReader(get(s, "/api/v1/graphs/"+name+".csv?check=imap-login&"+query).Body).ReadAll()
			if err != nil || len(lines) != len(d.Rows)+1 || strings.Join(lines[0], " ") != strings.Join(d.Columns, " ") {
				t.Fatalf("%s: %d lines as CSV for %d rows, %v", name, len(lines), len(d.Rows), err)
			}
			for i, row := range d.Rows {
				if len(row) != len(d.Columns) {
					t.Fatalf("%s: row %d has %d values, want %d", name, i, len(row), len(d.Columns))
				}
				for k, v := range row {
					if got := fmt.Sprint(v); got != lines[i+1][k] && fmt.Sprintf("%g", v) != got {
						t.Errorf("%s: row %d says %v as JSON and %s as CSV", name, i, v, lines[i+1][k])
					}
				}
				start, err := time.Parse(time.RFC3339, fmt.Sprint(row[0]))
				if err != nil || start.Before(d.From) || !start.Before(d.To) {
					t.Errorf("%s: row %d begins at %v, outside of %v to %v", name, i, row[0], d.From, d.To)
				}
				if name == "failures" {
					if want := start.Format("15:04") + ": " + graph.Count(int(row[3].(float64)), "run"); !strings.Contains(page, want) {
						t.Errorf("the page does not draw %q", want)
					}
				}
			}
		}
		for path, want := range map[string]int{
			"latency.json": 400, "latency.json?check=nothing": 400, "latency.xml?check=imap-login": 404, "odd.csv?check=imap-login": 404,
			"latency?check=imap-login": 404, "latency.csv?check=imap-login&step=1m": 400, "latency.csv?check=imap-login&range=2h": 400,
		} {
			if w := get(s, "/api/v1/graphs/"+path); w.Code != want {
				t.Errorf("%s: got %d, want %d", path, w.Code, want)
			}
		}
	})
}

// TestAMinuteInAYear: the cell of a day, one of 365, is down for one bad minute in it, and
// so high that it is seen.
func TestAMinuteInAYear(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := graph.Last(365*24*time.Hour, 24*time.Hour, morning)
		tallies := make([]graph.Tally, w.Cells())
		for i := range tallies {
			tallies[i] = graph.Tally{Length: 24 * time.Hour, Coverage: 1}
		}
		tallies[100].Down = time.Minute
		d := drawing{now: newFake().now, check: checks.Target{ID: "imap-login"}, scope: scope{span: spans()[6]}, window: w}
		h := CheckHistory{Regions: []CheckRegion{{Region: "oceania", Tallies: tallies}}}
		strip := string(d.region(Region{ID: "oceania", Name: "Oceania"}, h.Regions[0], nil, graph.Scale{}, 0).Strip)
		if strings.Count(strip, `class="f-down"`) != 1 || !strings.Contains(strip, ": unreachable 1 min</title>") || !strings.Contains(strip, `x="100"`) {
			t.Errorf("the minute is not drawn:\n%s", strip)
		}
		// At least 0.42 of the height of 24 px, the floor of a mark that is down.
		if !strings.Contains(strip, `height="10.7"`) {
			t.Errorf("the minute is not seen:\n%s", strip)
		}
		rows := h.drawn("availability", w).Rows
		if len(rows) != 365 || rows[100][2] != "down" || rows[100][5] != 60.0 {
			t.Errorf("the numbers say %v", rows[min(100, len(rows)-1)])
		}
	})
}

// TestMailNumbersAreThoseDrawn: every bar of the page is a row with its numbers.
func TestMailNumbersAreThoseDrawn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake().withMail(), nil)
		for _, sp := range mailSpans() {
			page := get(s, "/mail?range="+sp.name).Body.String()
			lines, err := csv.NewReader(get(s, "/api/v1/graphs/mail.csv?range="+sp.name).Body).ReadAll()
			bars := 0
			for _, class := range []string{"db", "dlate", "dlost", "dopen"} {
				bars += strings.Count(page, `<rect class="`+class+`"`) - 1 // one is the key
			}
			if err != nil || len(lines)-1 != bars || bars < 100 {
				t.Fatalf("%s: %d rows for %d bars, %v", sp.name, len(lines)-1, bars, err)
			}
			w := graph.Last(sp.length, sp.step, morning)
			for _, l := range lines[1:] {
				start, err := time.Parse(time.RFC3339, l[0])
				if want := "<title>" + w.Label(start) + ": " + l[2] + " mails"; err != nil || !strings.Contains(page, want) {
					t.Errorf("%s: the page does not draw %q, %v", sp.name, want, err)
				}
			}
		}
		for query, want := range map[string]int{"?range=1h": 400, "?check=mx1": 400, "": 200} {
			if w := get(s, "/api/v1/graphs/mail.json"+query); w.Code != want {
				t.Errorf("%q: got %d, want %d", query, w.Code, want)
			}
		}
	})
}
