package ops

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/pagetest"
)

// TestProbeOverTime: the page draws what came from a probe, what was its own fault, how
// long it waited and how far its clock was off; the numbers say the same.
func TestProbeOverTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake(), nil)
		page := get(s, "/probe/akl-1?range=24h").Body.String()
		for _, words := range []string{
			"<h2 id=\"ot\">The last 24 hours</h2>", "its network failed: unknown", "31 min at most", "Its program started:",
			`class="fu"`, "04:00: 120 results</title>", "120 results, longest delay 31 min</title>", "against ours; 30 s may be corrected", `class="wd"`,
		} {
			if !strings.Contains(page, words) {
				t.Errorf("the page does not say %q", words)
			}
		}
		if strings.Contains(page, "its machine was starved") {
			t.Error("the page has a row of what never was")
		}
		var d drawn
		if err := json.Unmarshal(get(s, "/api/v1/graphs/probe.json?probe=akl-1&range=24h").Body.Bytes(), &d); err != nil || len(d.Rows) != 276 {
			t.Fatalf("got %d rows, %v, want those of 24 hours but one", len(d.Rows), err)
		}
		lines, err := csv.NewReader(get(s, "/api/v1/graphs/probe.csv?probe=akl-1&range=24h").Body).ReadAll()
		if err != nil || len(lines) != len(d.Rows)+1 {
			t.Fatalf("got %d lines, %v", len(lines), err)
		}
		own, unmeasured := 0, 0
		for i, row := range d.Rows {
			if row[4].(float64) > 0 {
				own++
				if row[8] != nil || lines[i+1][8] != "" {
					t.Errorf("row %d: a clock that was not measured says %v, %q", i, row[8], lines[i+1][8])
				}
				unmeasured++
			}
		}
		if own != 6 || unmeasured != 6 {
			t.Errorf("got %d steps without its network, want 6", own)
		}
		for path, want := range map[string]int{
			"/api/v1/graphs/probe.json": 400, "/api/v1/graphs/probe.json?probe=nobody": 400, "/api/v1/graphs/probe.json?probe=akl-1&range=2h": 400,
			"/api/v1/graphs/probe.xml?probe=akl-1": 404, "/probe/akl-1?range=2h": 400,
		} {
			if w := get(s, path); w.Code != want {
				t.Errorf("%s: got %d, want %d", path, w.Code, want)
			}
		}
		if page := get(s, "/probe/kul-1").Body.String(); !strings.Contains(page, "Nothing came from it in this time.") {
			t.Error("a probe of which nothing is known: the page does not say so")
		}
	})
}

// TestProbesOfAllTellNothingOfOthers: the people of one provider see how a shared probe
// is, and not what it saw fail elsewhere.
func TestProbesOfAllTellNothingOfOthers(t *testing.T) {
	f := newFake()
	own := share{&Server{history: f, live: f}, "somebody"}
	h, err := own.Probe(t.Context(), "akl-1", graph.Last(24*time.Hour, 5*time.Minute, morning))
	if err != nil || len(h.Pulses) == 0 {
		t.Fatalf("got %d pulses, %v", len(h.Pulses), err)
	}
	for _, p := range h.Pulses {
		if p.Down != 0 {
			t.Fatalf("got %d results that were down", p.Down)
		}
	}
}

// TestProbeByPointer: the numbers of a step stand beside the pointer, and a range is a
// link.
func TestProbeByPointer(t *testing.T) {
	b := pagetest.Start(t)
	v := b.Visit(t, serve(t, newServer(t, newFake(), nil))+"/probe/akl-1?range=24h", 1200)
	v.Until(isLive)
	v.Point(`[data-graph="probe"] .row:nth-of-type(2) svg.plot`, 0.97)
	v.Until(`/120 results, 3 down, waited \d+ ms at most, clock \d+ to \d+ ms/.test(document.getElementById("tip").textContent)`)
	v.Keep("ops-probe-hover")
	v.Follow(`.rnav a[href*="range=7d"]`)
	expect(t, v, "a range leads out", `location.search`, "?range=7d")
	v.Quiet()
}

// TestMailByPointer: the numbers of a step stand beside the pointer.
func TestMailByPointer(t *testing.T) {
	b := pagetest.Start(t)
	v := b.Visit(t, serve(t, newServer(t, newFake().withMail(), nil))+"/mail", 1200)
	v.Until(isLive)
	v.Point(`[data-of="outbound"] svg.plot`, 60.5/96)
	v.Until(`/UTC: 15 mails, 1 lost, longest delay [\d.]+ s/.test(document.getElementById("tip").textContent)`)
	v.Quiet()
}
