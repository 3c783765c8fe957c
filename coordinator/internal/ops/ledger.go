package ops

import (
	"context"
	"encoding/json"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/mail"
)

// Ledger is what became of test mails.
type Ledger interface {
	// Mail returns the sums of the mails that are asked for, and lists them, those
	// sent last first.
	Mail(ctx context.Context, q MailQuery) (Mail, error)
	// Delays returns what became of the mails that are asked for in steps of the given
	// width, oldest first; steps in which none was sent may be missing.
	Delays(ctx context.Context, q MailQuery, step time.Duration) ([]graph.DelayPoint, error)
}

// MailQuery asks for test mails. What is empty restricts nothing.
type MailQuery struct {
	Route string
	// Services are those of which any will do.
	Services []string
	// From and To bound the times at which they were sent, [From, To).
	From, To time.Time
	// Notable lists only those that did not arrive in time, in the inbox and
	// without a failed check of their sender. The sums are of all.
	Notable bool
	// Limit is the largest number listed.
	Limit int
}

// Mail is what became of some mails.
type Mail struct {
	Sums   mail.Sums
	Routes []mail.Route
	List   []checks.MailEvent
	// Windows are those that people announced for services with round trips and of which
	// something lies in the time asked for, withdrawn ones left out.
	Windows []Window
}

// Servers are what the servers showed that the checks ask, and what is to be said of
// their configuration.
type Servers interface {
	// Presented returns what was shown lately, of one check or of all if it is
	// empty: to each probe at each address what it saw last, and in turn with that.
	Presented(ctx context.Context, check string) ([]Presented, error)
	// Annotations lists what changed, the newest first.
	Annotations(ctx context.Context, q AnnotationQuery) ([]Annotation, error)
	// Findings returns the newest of each probe, of one check or of all if it is
	// empty.
	Findings(ctx context.Context, check string) ([]Findings, error)
}

// Presented is what a server showed to one probe.
type Presented struct {
	Check, Region, Probe string
	Family               checks.Family
	// Address is without its port, At when it was seen last.
	Address   string
	At        time.Time
	Handshake *checks.Handshake
}

// AnnotationQuery asks for annotations of a check, of all if it is empty, in
// [From, To).
type AnnotationQuery struct {
	Check    string
	From, To time.Time
	Limit    int
}

// Annotation is one change in what a server shows of itself.
type Annotation struct {
	// At is when it was first seen, by Probe in Region over Family.
	At                   time.Time
	Check, Region, Probe string
	Family               checks.Family
	// Kind is "address", "issuer" or "key".
	Kind     string
	From, To string
}

// MarshalJSON writes the annotation as /api/v1/annotations publishes it.
func (a Annotation) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		At     time.Time     `json:"at"`
		Check  string        `json:"check"`
		Region string        `json:"region"`
		Probe  string        `json:"probe"`
		Family checks.Family `json:"family"`
		Kind   string        `json:"kind"`
		From   string        `json:"from"`
		To     string        `json:"to"`
	}{a.At.UTC(), a.Check, a.Region, a.Probe, a.Family, a.Kind, a.From, a.To})
}

// Findings are what one probe found for one check.
type Findings struct {
	checks.Findings
	// At is when they were found.
	At time.Time
}

// MarshalJSON writes the findings as /api/v1/findings publishes them.
func (f Findings) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Check    string           `json:"check"`
		Service  string           `json:"service"`
		Probe    string           `json:"probe"`
		Region   string           `json:"region"`
		At       time.Time        `json:"at"`
		Findings []checks.Finding `json:"findings"`
	}{f.Check, f.Service, f.Probe, f.Region, f.At.UTC(), list(f.List)})
}
