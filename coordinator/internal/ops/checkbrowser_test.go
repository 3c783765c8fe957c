package ops

import (
	"strings"
	"testing"

	"varde/coordinator/internal/verdict"
	"varde/coordinator/pagetest"
)

// What the tests ask of the page of a check.
const (
	tipText   = `document.getElementById("tip").hidden ? "" : document.getElementById("tip").textContent`
	plotOf    = `[data-graph="%g"] [data-of="%o"] svg.plot`
	ofOceania = `document.querySelector('[data-graph="availability"] [data-of="oceania"] .lab').textContent`
)

func plot(graph, of string) string {
	return strings.NewReplacer("%g", graph, "%o", of).Replace(plotOf)
}

// TestCheckByPointer: the value under the pointer is that of the numbers, a drag over a
// graph leads to that window, and a change comes into place by itself.
func TestCheckByPointer(t *testing.T) {
	b := pagetest.Start(t)
	live := &changing{now: newFake().now}
	s := newServer(t, newFake(), func(o *Options) { o.Live = live })
	v := b.Visit(t, serve(t, s)+"/check/imap-login?range=24h&region=oceania", 1200)
	v.Until(isLive)
	for graph, want := range map[string]string{
		"availability": "UTC: down, down 5 min, looked 100 %", "latency": "UTC: no run completed", "phases": "UTC: no run completed",
	} {
		v.Point(plot(graph, "oceania"), 0.97)
		v.Until(`document.getElementById("tip").textContent.includes("` + want + `")`)
	}
	v.Point(plot("latency", "oceania"), 0.2)
	v.Until(`/p50 1\.\d+ s, p95 \d.*, p99 \d.* s, 60 runs/.test(document.getElementById("tip").textContent)`)
	v.Keep("ops-check-hover")
	v.Point(plot("failures", "connect_timeout"), 0.97)
	v.Until(`document.getElementById("tip").textContent.includes("60 runs, down")`)
	v.Point("h1", 0.5)
	expect(t, v, "no value beside the graphs", tipText, "")

	live.turn(s, "imap-login", "oceania", verdict.Intermittent)
	v.Until(ofOceania + `.includes("intermittent")`)

	v.Drag(plot("availability", "oceania"), 0.25, 0.5)
	v.Until(`location.search.includes("from=")`)
	v.Until(`document.querySelector("h2").textContent.includes(" to ")`)
	expect(t, v, "the region is kept", `new URLSearchParams(location.search).get("region")`, "oceania")
	expect(t, v, "six hours of a day, in whole steps",
		`(p => Math.abs(Date.parse(p.get("to")) - Date.parse(p.get("from")) - 216e5) <= 6e5)(new URLSearchParams(location.search))`, true)
	expect(t, v, "no range is current", `document.querySelectorAll(".rnav [aria-current]").length`, 0)
	v.Keep("ops-check-zoom")
	v.Follow(`.rnav a[href*="range=7d"]`)
	expect(t, v, "a range leads out, and keeps the region", `location.search`, "?range=7d&region=oceania")
	v.Quiet()
}

// TestCheckWithoutScript: graphs, switches and numbers are there all the same.
func TestCheckWithoutScript(t *testing.T) {
	b := pagetest.Start(t)
	url := serve(t, newServer(t, newFake(), nil))
	b.WithoutScript(t)
	v := b.Visit(t, url+"/check/imap-login?range=24h", 1200)
	expect(t, v, "strips of all regions", `document.querySelectorAll('[data-graph="availability"] svg.plot').length`, 5)
	for _, step := range []struct{ link, address string }{
		{`.sw a[href*="region=oceania"]`, "?range=24h&region=oceania"},
		{`.sw a[href*="family=ipv6"]`, "?family=ipv6&range=24h&region=oceania"},
		{`.rnav a[href*="range=1y"]`, "?family=ipv6&range=1y&region=oceania"},
	} {
		if status := v.Follow(step.link); status != 200 {
			t.Errorf("%s: status %d", step.link, status)
		}
		expect(t, v, step.link, `location.search`, step.address)
	}
	expect(t, v, "one region", `document.querySelectorAll('[data-graph="availability"] svg.plot').length`, 1)
	expect(t, v, "the numbers are linked", `document.querySelectorAll('a[href^="/api/v1/graphs/"]').length`, 8)
	v.Quiet()
}
