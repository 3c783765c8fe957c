package bulletin

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"varde/coordinator/internal/incident"
)

// Bulletin is what one page tells the public of one incident.
type Bulletin struct {
	// Page and Incident are the ids of both. Together they name the bulletin for ever.
	Page     string `json:"page"`
	Incident string `json:"incident"`
	// Title says what it is about, in the language of the page.
	Title string `json:"title"`
	// Stage is that of the newest update.
	Stage incident.Stage `json:"stage"`
	// Impact is the gravest that it had since it was told.
	Impact incident.Impact `json:"impact"`
	// Parts are the services of the page that are or were affected, as they are now.
	Parts []incident.Part `json:"parts"`
	// Updates are what was said, in order.
	Updates []Update `json:"updates,omitempty"`
	// Started is when the first observation failed. Told is when the first update was
	// public, Monitoring and Resolved when the newest of that stage was; zero if none is.
	Started    time.Time `json:"started_at"`
	Told       time.Time `json:"told_at,omitzero"`
	Monitoring time.Time `json:"monitoring_at,omitzero"`
	Resolved   time.Time `json:"resolved_at,omitzero"`
	// Due is when what waits for a person goes out by itself; zero if nothing waits.
	Due time.Time `json:"due,omitzero"`
	// Taken says that a person writes the words, Withdrawn that what was said no longer
	// holds.
	Taken     *incident.Mark `json:"taken,omitempty"`
	Withdrawn *incident.Mark `json:"withdrawn,omitempty"`
	// Log is what was done with it, by whom and why.
	Log []Entry `json:"log,omitempty"`
	// Comes says that the newest update says that the trouble comes and goes, Kind what
	// kind of trouble it says that it is.
	Comes bool           `json:"comes,omitempty"`
	Kind  incident.Group `json:"kind,omitempty"`
}

// Update is one thing that was said.
type Update struct {
	// ID names it for ever: that of the incident and a number.
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// Edited is when a person last changed the text, zero if nobody did.
	Edited time.Time      `json:"edited,omitzero"`
	Stage  incident.Stage `json:"stage"`
	Text   string         `json:"text"`
	// By is who wrote it, empty for the measurement.
	By string `json:"by,omitempty"`
	// Parts are what was affected when it was said.
	Parts []incident.Part `json:"parts"`
}

// Entry is one act in the log of a bulletin.
type Entry struct {
	At time.Time `json:"at"`
	// By is who did it, empty for the machine.
	By  string `json:"by,omitempty"`
	Did string `json:"did"`
	Why string `json:"why"`
}

// The states of a bulletin before it is told.
const (
	Private = "private"
	Waiting = "waiting"
	Public  = "public"
)

// State says who sees it: nobody yet, operators who are asked whether it goes out, or
// everyone.
func (b Bulletin) State() string {
	switch {
	case !b.Told.IsZero():
		return Public
	case !b.Due.IsZero():
		return Waiting
	}
	return Private
}

// Open says whether the page shows it as something that goes on.
func (b Bulletin) Open() bool { return !b.Told.IsZero() && b.Stage != incident.Resolved }

// Updated is when it was last changed for the public.
func (b Bulletin) Updated() (at time.Time) {
	for _, u := range b.Updates {
		for _, t := range []time.Time{u.At, u.Edited} {
			if t.After(at) {
				at = t
			}
		}
	}
	return at
}

// Services are the ids of its services, in the order of its parts.
func (b Bulletin) Services() []string {
	var out []string
	for _, p := range b.Parts {
		if !slices.Contains(out, p.Service) {
			out = append(out, p.Service)
		}
	}
	return out
}

// Clone returns a copy that shares nothing that is changed.
func (b Bulletin) Clone() Bulletin {
	b.Parts, b.Updates, b.Log = slices.Clone(b.Parts), slices.Clone(b.Updates), slices.Clone(b.Log)
	return b
}

// say adds an update.
func (b *Bulletin) say(at time.Time, stage incident.Stage, text, by string) {
	b.Updates = append(b.Updates, Update{
		ID: b.Incident + "-" + strconv.Itoa(len(b.Updates)+1), At: at, Stage: stage, Text: text, By: by, Parts: slices.Clone(b.Parts),
	})
	b.Stage = stage
	switch stage {
	case incident.Monitoring:
		b.Monitoring, b.Resolved = at, time.Time{}
	case incident.Resolved:
		b.Resolved = at
	default:
		b.Resolved = time.Time{}
	}
	if b.Told.IsZero() {
		b.Told, b.Due = at, time.Time{}
	}
}

// logMost bounds the log: the oldest acts but the first go first.
const logMost = 500

func (b *Bulletin) log(at time.Time, by, did, why string) {
	if len(b.Log) >= logMost {
		b.Log = slices.Delete(b.Log, 1, 2)
	}
	b.Log = append(b.Log, Entry{At: at, By: by, Did: did, Why: why})
}

// Compare orders bulletins by when the trouble began, then by incident and page.
func (b Bulletin) Compare(o Bulletin) int {
	return cmp.Or(b.Started.Compare(o.Started), cmp.Compare(b.Incident, o.Incident), cmp.Compare(b.Page, o.Page))
}
