// Package mail says what became of test mails, in numbers and in one sentence. It
// is pure: whoever calls it says what time it is.
package mail

import (
	"encoding/json"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
)

// Sums are what became of the test mails of a stretch of time. Every mail is one
// of Arrived, Pending, Lost and Unknown.
type Sums struct {
	// Sent counts them all.
	Sent int
	// Arrived were found, whenever that was; InTime those of them that were found
	// within their limit.
	Arrived, InTime int
	// Late are past their limit, whether they were found since or not.
	Late int
	// Pending are not found yet and still looked for; Waiting is when the oldest
	// of them was sent, zero if there is none.
	Pending int
	Waiting time.Time
	// Lost were looked for in vain until their time was over.
	Lost int
	// Unknown are those of which nobody can tell: their probe gave no final word
	// while it could.
	Unknown int
	// Junk were found among the junk.
	Junk int
	// Longest, P50 and P95 are delays of those that arrived; zero if none did.
	Longest, P50, P95 time.Duration
	// First and Last are when the first and the last of them were sent; zero if
	// none was.
	First, Last time.Time
}

// Route is one way of mails and what became of them.
type Route struct {
	Route string
	Sums
}

// WordBy is the end of the time in which a final word of a mail must have come: the
// mail is looked for that long, and its probe may be cut off for a day.
const WordBy = checks.MailFollow + 24*time.Hour

type sumsJSON struct {
	Sent     int        `json:"sent"`
	Arrived  int        `json:"arrived"`
	InTime   int        `json:"in_time"`
	Late     int        `json:"late"`
	Pending  int        `json:"pending"`
	Lost     int        `json:"lost"`
	Unknown  int        `json:"unknown"`
	Junk     int        `json:"junk"`
	LongestS *float64   `json:"longest_delay_s"`
	P50S     *float64   `json:"p50_delay_s"`
	P95S     *float64   `json:"p95_delay_s"`
	First    *time.Time `json:"first"`
	Last     *time.Time `json:"last"`
	Waiting  *time.Time `json:"oldest_pending"`
}

func (s Sums) json() sumsJSON {
	out := sumsJSON{
		Sent: s.Sent, Arrived: s.Arrived, InTime: s.InTime, Late: s.Late, Pending: s.Pending, Lost: s.Lost,
		Unknown: s.Unknown, Junk: s.Junk, First: known(s.First), Last: known(s.Last), Waiting: known(s.Waiting),
	}
	if s.Arrived > 0 {
		out.LongestS, out.P50S, out.P95S = seconds(s.Longest), seconds(s.P50), seconds(s.P95)
	}
	return out
}

// MarshalJSON writes the sums as /api/v1/mail publishes them; what is not known is
// null.
func (s Sums) MarshalJSON() ([]byte, error) { return json.Marshal(s.json()) }

// MarshalJSON writes the route with its sums beside it.
func (r Route) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Route string `json:"route"`
		sumsJSON
	}{r.Route, r.json()})
}

func seconds(d time.Duration) *float64 { return new(checks.Milliseconds(d) / 1000) }

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

// Sentence says what became of the mails as it is known at the given time, e.g.
// "1,440 test mails, 0 lost, longest delay 47 min." It claims no more than the
// ledger shows; empty where no mail was sent.
func (s Sums) Sentence(at time.Time) string {
	if s.Sent == 0 {
		return ""
	}
	out := graph.Count(s.Sent, "test mail") + ", " + graph.Thousands(s.Lost) + " lost"
	if s.Arrived > 0 {
		out += ", longest delay " + graph.AtMost(s.Longest)
	}
	if s.Late > 0 {
		out += ", " + graph.Thousands(s.Late) + " late"
	}
	if s.Pending > 0 {
		out += ", " + graph.Thousands(s.Pending) + " pending"
	}
	if s.Pending > 0 && at.Sub(s.Waiting) >= time.Minute {
		out += ", the oldest for " + graph.Span(at.Sub(s.Waiting))
	}
	if s.Unknown > 0 {
		out += ", of " + graph.Thousands(s.Unknown) + " nobody can tell"
	}
	return out + "."
}
