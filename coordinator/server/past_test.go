package server

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/graph"
)

// TestSpread draws the phases of a quarter of an hour over those of its minutes in
// which runs completed, and over no others.
func TestSpread(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 11, 22, 14, minute, 0, 0, time.UTC) }
	first, second := []time.Duration{time.Millisecond}, []time.Duration{time.Second}
	var latency []graph.LatencyPoint
	for _, minute := range []int{42, 43, 45, 59} {
		latency = append(latency, graph.LatencyPoint{At: at(minute), N: 4})
	}
	got := spread([]graph.StackPoint{{At: at(30), Medians: first}, {At: at(45), Medians: second}}, latency)
	want := []graph.StackPoint{{At: at(42), Medians: first}, {At: at(43), Medians: first}, {At: at(45), Medians: second}, {At: at(59), Medians: second}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := spread(nil, latency); len(got) != 0 {
		t.Errorf("without medians: got %v", got)
	}
	if got := spread([]graph.StackPoint{{At: at(45), Medians: second}}, latency[:2]); len(got) != 0 {
		t.Errorf("before the first: got %v", got)
	}
}

// TestNumbersOfANewCoordinator: nothing is known, also of a service that has no checks, and
// no number is made up.
func TestNumbersOfANewCoordinator(t *testing.T) {
	s := opened(t, configured(t, small))
	for path, want := range map[string]string{
		"/api/v1/numbers?service=imap":      `"regions":[{"region":"eu-north","availability":null,"low":null,"high":null,"coverage":0,"label":"insufficient data"`,
		"/api/v1/numbers?service=new":       `"regions":[],"families":[],`,
		"/api/v1/availability?service=imap": `"low":null,"high":null,"without_maintenance":null`,
		"/numbers":                          "No service has an objective.",
		"/numbers/new":                      "It is not known how well Brand new service could be reached.",
	} {
		if code, body := told(s, path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, %s", path, code, body)
		}
	}
}
