package checks

import (
	"encoding/json"
	"fmt"
	"time"
)

// MailState is what is known of one test mail.
type MailState string

// The states of a mail.
const (
	// MailPending is sent, not yet found, and not yet late.
	MailPending MailState = "pending"
	// MailArrived was found within its limit.
	MailArrived MailState = "arrived"
	// MailLate is past its limit; Found says whether it has arrived since.
	MailLate MailState = "late"
	// MailLost was looked for until MailFollow had passed.
	MailLost MailState = "lost"
	// MailUnknown is one whose probe can no longer tell.
	MailUnknown MailState = "unknown"
)

// MailFollow is how long a mail is looked for: as long as servers keep trying
// to deliver one (RFC 5321 section 4.5.4.1 has four to five days).
const MailFollow = 5 * 24 * time.Hour

// MailEvent is what one test mail of a round trip has become. A later event of
// the same mail stands over an earlier one.
type MailEvent struct {
	// Mail names the mail for ever.
	Mail string
	// Check, Service and Route say which way it went; Probe and Region who sent
	// it, set by the coordinator from the probe's certificate.
	Check, Service, Route, Probe, Region string
	// Sent is when the server took the mail, Found when it was first seen in a
	// mailbox, both by the probe's clock; Found is zero until then.
	Sent, Found time.Time
	State       MailState
	// Junk says that it was found among the junk.
	Junk bool
	// SPF, DKIM and DMARC are the results of the Authentication-Results header
	// (RFC 8601) that the receiving server added; empty where it gives none.
	SPF, DKIM, DMARC string
}

// Delay is the time from Sent to Found; 0 for a mail that was not found.
func (m MailEvent) Delay() time.Duration {
	if m.Found.IsZero() {
		return 0
	}
	return max(0, m.Found.Sub(m.Sent))
}

type mailJSON struct {
	Mail    string     `json:"mail"`
	Check   string     `json:"check"`
	Service string     `json:"service"`
	Route   string     `json:"route"`
	Probe   string     `json:"probe"`
	Region  string     `json:"region"`
	Sent    time.Time  `json:"sent"`
	Found   *time.Time `json:"found"`
	DelayS  *float64   `json:"delay_s"`
	State   MailState  `json:"state"`
	Junk    bool       `json:"junk"`
	SPF     string     `json:"spf,omitempty"`
	DKIM    string     `json:"dkim,omitempty"`
	DMARC   string     `json:"dmarc,omitempty"`
}

// MarshalJSON writes the event in the form that the outside holds on to; found
// and delay_s are null until the mail is found.
func (m MailEvent) MarshalJSON() ([]byte, error) {
	j := mailJSON{
		Mail: m.Mail, Check: m.Check, Service: m.Service, Route: m.Route, Probe: m.Probe, Region: m.Region,
		Sent: m.Sent.UTC(), State: m.State, Junk: m.Junk, SPF: m.SPF, DKIM: m.DKIM, DMARC: m.DMARC,
	}
	if !m.Found.IsZero() {
		found, delay := m.Found.UTC(), Milliseconds(m.Delay())/1000
		j.Found, j.DelayS = &found, &delay
	}
	return json.Marshal(j)
}

// Finding is one thing about a service's configuration that its operator should
// know, and that says nothing of whether it is up.
type Finding struct {
	// Code names the kind of finding, "mta_sts_mx", lower-case with _.
	Code string `json:"code"`
	// Detail says what was found and what is expected, at most DetailMax
	// printable characters.
	Detail string `json:"detail"`
}

// Found returns a finding whose detail is cleaned and cut as a Result's is.
func Found(code, format string, args ...any) Finding {
	return Finding{Code: code, Detail: clean(fmt.Sprintf(format, args...), nil)}
}

// Findings are all that one probe found for one check at one time. Later ones
// take the place of earlier ones; an empty list says that all is well.
type Findings struct {
	Check, Service, Probe, Region string
	List                          []Finding
}

// FindingsMax is the largest number of findings of one check.
const FindingsMax = 32
