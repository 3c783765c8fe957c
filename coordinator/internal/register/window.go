package register

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"varde/checks"
)

// Kind is what a window is for.
type Kind string

// The kinds of windows.
const (
	// Maintenance takes time out of the objective, not out of the record.
	Maintenance Kind = "maintenance"
	// Watch has services looked at more closely.
	Watch Kind = "watch"
)

// Window is a stretch of time that a person announced.
type Window struct {
	// ID names it for ever, "m-2026-11-24-1": its kind, the day on which it begins and
	// a number.
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	// Services are the ids of those that it is about, at least one.
	Services []string `json:"services"`
	// Regions restricts a maintenance; none means all.
	Regions []string `json:"regions,omitempty"`
	// From and To are its ends, [From, To), in UTC and whole seconds.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Title is what it is announced for.
	Title string `json:"title"`
	// By is who announced it, and Made when.
	By   string    `json:"by"`
	Made time.Time `json:"made"`
	// Cancelled is when it was taken back, zero if it was not, and CancelledBy who did
	// that. A window that had begun ends then, and Meant is when it was to end.
	Cancelled   time.Time `json:"cancelled,omitzero"`
	CancelledBy string    `json:"cancelled_by,omitempty"`
	Meant       time.Time `json:"meant_to,omitzero"`
	// Every is the interval that a watch wants; zero for a third of each check's own.
	Every time.Duration `json:"every_ns,omitempty"`
}

// Limits of a window.
const (
	MaxLength  = 31 * 24 * time.Hour
	maxTitle   = 200 // characters
	maxName    = 100
	maxServed  = 1000
	maxWindows = 999 // that begin on one day, of one kind
)

// Withdrawn says that the window was cancelled before it began.
func (w Window) Withdrawn() bool { return !w.Cancelled.IsZero() && !w.Cancelled.After(w.From) }

// Counts is since when a maintenance takes time out of the objective: since it began,
// but not before somebody announced it. What is said of trouble afterwards is an
// excuse and no announcement.
func (w Window) Counts() time.Time {
	if w.Made.After(w.From) {
		return w.Made
	}
	return w.From
}

// overlaps says whether anything of the window lies in [from, to). One that was
// withdrawn is still on record where it would have been.
func (w Window) overlaps(from, to time.Time) bool { return w.From.Before(to) && w.To.After(from) }

// Holds says whether the window is in force at a time.
func (w Window) Holds(at time.Time) bool {
	return !w.Withdrawn() && !at.Before(w.From) && at.Before(w.To)
}

// State says in a word how the window stands at a time: coming, active, over or
// cancelled.
func (w Window) State(at time.Time) string {
	switch {
	case w.Withdrawn():
		return "cancelled"
	case at.Before(w.From):
		return "coming"
	case at.Before(w.To):
		return "active"
	}
	return "over"
}

// Covers says whether the window is about a service in a region; no region stands for
// any.
func (w Window) Covers(service, region string) bool {
	return slices.Contains(w.Services, service) &&
		(region == "" || len(w.Regions) == 0 || slices.Contains(w.Regions, region))
}

// clone shares nothing with the window.
func (w Window) clone() Window {
	w.Services, w.Regions = slices.Clone(w.Services), slices.Clone(w.Regions)
	return w
}

// tidy returns the window in the form in which it is kept.
func (w Window) tidy() Window {
	w = w.clone()
	w.From, w.To = w.From.UTC().Truncate(time.Second), w.To.UTC().Truncate(time.Second)
	w.Title, w.By = strings.TrimSpace(w.Title), strings.TrimSpace(w.By)
	return w
}

// announced says what is wrong with a window that is announced at a time: nil, or
// every fault, one a line. Services and regions are those that are configured.
func (w Window) announced(now time.Time, services, regions []string) error {
	errs := []error{w.whole(), known("service", w.Services, services), known("region", w.Regions, regions)}
	if length := w.To.Sub(w.From); length > MaxLength {
		errs = append(errs, fmt.Errorf("to: got %s, %d days after from, expected at most %d", moment(w.To), int(length.Hours()/24), int(MaxLength.Hours()/24)))
	}
	if !w.To.After(now) {
		errs = append(errs, fmt.Errorf("to: got %s, expected a time that is to come, after %s", moment(w.To), moment(now)))
	}
	return errors.Join(errs...)
}

// whole says what is wrong with a window whatever the time and the configuration.
func (w Window) whole() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if w.Kind != Maintenance && w.Kind != Watch {
		add("kind: got %.40q, expected maintenance or watch", w.Kind)
	}
	if n := len(w.Services); n == 0 || n > maxServed {
		add("service: got %d, expected at least one and at most %d", n, maxServed)
	}
	if w.From.IsZero() || w.To.IsZero() || !w.From.Before(w.To) {
		add("to: got %s, expected a time after from, %s", moment(w.To), moment(w.From))
	}
	if w.Title == "" || !printable(w.Title, maxTitle) {
		add("title: got %.250q, expected 1 to %d printable characters", w.Title, maxTitle)
	}
	if w.By == "" || !printable(w.By, maxName) {
		add("by: got %.150q, expected 1 to %d printable characters", w.By, maxName)
	}
	if w.Kind == Watch && len(w.Regions) > 0 {
		add("region: got %q for a watch, expected none: all regions look more closely", w.Regions)
	}
	if w.Every != 0 && (w.Kind != Watch || w.Every < checks.MinEvery || w.Every > checks.MaxEvery) {
		add("every: got %s, expected %s to %s, for a watch only", w.Every, checks.MinEvery, checks.MaxEvery)
	}
	return errors.Join(errs...)
}

// known says which names nobody configured, or are there twice.
func known(what string, got, configured []string) error {
	var errs []error
	for i, id := range got {
		switch {
		case slices.Contains(got[:i], id):
			errs = append(errs, fmt.Errorf("%s: got %.100q twice, expected it once", what, id))
		case !slices.Contains(configured, id):
			errs = append(errs, fmt.Errorf("%s: got %.100q, expected the id of a %s: %s", what, id, what, few(configured)))
		}
	}
	return errors.Join(errs...)
}

// few names what is known, or the first of it.
func few(ids []string) string {
	const most = 20
	if len(ids) == 0 {
		return "there is none"
	}
	if n := len(ids); n > most {
		return strings.Join(ids[:most], ", ") + " and " + strconv.Itoa(n-most) + " more"
	}
	return strings.Join(ids, ", ")
}

// printable says whether s has no more characters than that, all of which can be read.
func printable(s string, most int) bool {
	unread := func(r rune) bool { return !strconv.IsPrint(r) }
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, unread)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "nothing"
	}
	return t.UTC().Format(time.RFC3339)
}
