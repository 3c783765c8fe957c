package mail

import (
	"encoding/json"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// The sentence is what a provider says under attack: every number in it must be
// one that the ledger shows, and what is not known yet is said too.
func TestSentence(t *testing.T) {
	for want, s := range map[string]Sums{
		"": {},
		"1,440 test mails, 0 lost, longest delay 47 min.":                                   {Sent: 1440, Arrived: 1440, InTime: 1440, Longest: 46*time.Minute + 59*time.Second},
		"1 test mail, 0 lost, 1 pending.":                                                   {Sent: 1, Pending: 1, Waiting: noon.Add(-59 * time.Second)},
		"3 test mails, 1 lost, longest delay 4.0 s, 2 late, 1 pending, the oldest for 2 h.": {Sent: 3, Arrived: 1, InTime: 1, Lost: 1, Late: 2, Pending: 1, Waiting: noon.Add(-2 * time.Hour), Longest: 4 * time.Second},
		"2 test mails, 0 lost, longest delay 20 ms, of 1 nobody can tell.":                  {Sent: 2, Arrived: 1, InTime: 1, Unknown: 1, Longest: 20 * time.Millisecond},
	} {
		if got := s.Sentence(noon); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	const empty = `"sent":0,"arrived":0,"in_time":0,"late":0,"pending":0,"lost":0,"unknown":0,"junk":0,` +
		`"longest_delay_s":null,"p50_delay_s":null,"p95_delay_s":null,"first":null,"last":null,"oldest_pending":null}`
	full := Route{"internal", Sums{
		Sent: 4, Arrived: 2, InTime: 1, Late: 2, Pending: 1, Waiting: noon, Lost: 1, Junk: 1,
		Longest: 90500 * time.Millisecond, P50: time.Second, P95: 90 * time.Second, First: noon, Last: noon.Add(time.Hour),
	}}
	for want, v := range map[string]any{
		`{` + empty:                    Sums{},
		`{"route":"outbound",` + empty: Route{Route: "outbound"},
		`{"route":"internal","sent":4,"arrived":2,"in_time":1,"late":2,"pending":1,"lost":1,"unknown":0,"junk":1,` +
			`"longest_delay_s":90.5,"p50_delay_s":1,"p95_delay_s":90,"first":"2026-11-22T12:00:00Z","last":"2026-11-22T13:00:00Z","oldest_pending":"2026-11-22T12:00:00Z"}`: full,
	} {
		if got, err := json.Marshal(v); err != nil || string(got) != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
}
