package bulletin

import (
	"time"

	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/mail"
)

// Mode says who decides that something is told.
type Mode string

// The modes.
const (
	// Auto tells by itself.
	Auto Mode = "auto"
	// Approve asks a person first, for a while.
	Approve Mode = "approve"
	// Manual tells what a person publishes.
	Manual Mode = "manual"
)

// Policy is what one page tells, and when.
type Policy struct {
	// Page is the id of the page, Services are those that it shows.
	Page     string
	Services []string
	Mode     Mode
	// Dwell is how long trouble lasts before it is told, by its impact.
	Dwell map[incident.Impact]time.Duration
	// Within is how long a person is waited for where one is asked.
	Within time.Duration
	// Lexicon has the words of the page's language.
	Lexicon *Lexicon
}

// Subject is an incident as a bulletin sees it.
type Subject struct {
	World incident.World
	incident.Whole
	// Mail returns what became of the test mails of some services since a time. It is
	// asked only when something is said; nil says nothing of mails.
	Mail func(services []string, since time.Time) mail.Sums
}
