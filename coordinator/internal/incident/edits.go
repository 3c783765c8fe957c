package incident

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Edits are what people said of an incident. They are kept beside what the machine
// says, which never writes in them. Their methods return a changed copy.
type Edits struct {
	// Title and Summary stand in the place of the machine's words where they are not
	// empty.
	Title   string `json:"title,omitempty"`
	Summary string `json:"summary,omitempty"`
	Notes   []Mark `json:"notes,omitempty"`
	// Identified: the cause is known. Resolved: it is over, whatever is measured.
	// FalseAlarm: there was no trouble. Their texts are the reasons.
	Identified *Mark `json:"identified,omitempty"`
	Resolved   *Mark `json:"resolved,omitempty"`
	FalseAlarm *Mark `json:"false_alarm,omitempty"`
	// MergedInto says that it is a part of another incident, whose id is the text.
	MergedInto *Mark `json:"merged_into,omitempty"`
	// Public is whether it is shown to everyone, nil where nobody decided.
	Public *bool `json:"public,omitempty"`
	// Log is who did what, in order.
	Log []Act `json:"log,omitempty"`
}

// Mark is something that a person said at a time.
type Mark struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Text string    `json:"text,omitempty"`
}

// Act is one thing that a person did, or took back.
type Act struct {
	Mark
	Did  Deed `json:"did"`
	Back bool `json:"back,omitempty"`
}

// Deed is what people can do with an incident.
type Deed string

// The deeds.
const (
	Noting       Deed = "note"
	Rewording    Deed = "reword"
	Identifying  Deed = "identify"
	Resolving    Deed = "resolve"
	CallingFalse Deed = "false_alarm"
	Merging      Deed = "merge"
	Splitting    Deed = "split"
	Publishing   Deed = "publish"
)

// What people write is bounded, in characters and in acts.
const (
	titleMax = 255 // as on Atlassian Statuspage
	textMax  = 5000
	nameMax  = 100
	actsMax  = 1000
)

// Note adds a note.
func (e Edits) Note(m Mark) (Edits, error) {
	if err := cmp.Or(e.allows(m), m.needsText("note")); err != nil {
		return e, err
	}
	e.Notes = append(slices.Clip(e.Notes), m)
	return e.did(Noting, m), nil
}

// Reword sets the title and the summary in a person's words; one that is empty is the
// machine's again.
func (e Edits) Reword(m Mark, title, summary string) (Edits, error) {
	err := cmp.Or(e.allows(m), written("title", title, titleMax), written("summary", summary, textMax))
	if err != nil {
		return e, err
	}
	if title == "" && summary == "" {
		return e, errors.New("reword: got neither title nor summary, expected one of them")
	}
	e.Title, e.Summary = title, summary
	return e.did(Rewording, m), nil
}

// Identify says that the cause is known.
func (e Edits) Identify(m Mark) (Edits, error) {
	return e.mark(Identifying, m, func(e *Edits) **Mark { return &e.Identified })
}

// Resolve says that it is over. What is ill afterwards is another incident.
func (e Edits) Resolve(m Mark) (Edits, error) {
	return e.mark(Resolving, m, func(e *Edits) **Mark { return &e.Resolved })
}

// MarkFalse says that there was no trouble, with the reason, which is required. What
// is ill afterwards is another incident.
func (e Edits) MarkFalse(m Mark) (Edits, error) {
	if err := m.needsText("false alarm"); err != nil {
		return e, err
	}
	return e.mark(CallingFalse, m, func(e *Edits) **Mark { return &e.FalseAlarm })
}

// Publish says whether everyone may see it.
func (e Edits) Publish(m Mark, public bool) (Edits, error) {
	if err := e.allows(m); err != nil {
		return e, err
	}
	e.Public = &public
	m.Text = map[bool]string{true: "public", false: "private"}[public]
	return e.did(Publishing, m), nil
}

// mark sets one of the marks, if it is not set.
func (e Edits) mark(d Deed, m Mark, of func(*Edits) **Mark) (Edits, error) {
	if err := e.allows(m); err != nil {
		return e, err
	}
	if old := *of(&e); old != nil {
		return e, fmt.Errorf("%s: got one by %s of %s already, expected none; take that back first", d, old.By, moment(old.At))
	}
	*of(&e) = &m
	return e.did(d, m), nil
}

// Unmark takes back what people said: the last note, a mark, or their words and their
// decision who sees it, in the place of which the machine's hold again, whatever they
// were before. A split is undone by a [Merge] of its parts.
func (e Edits) Unmark(m Mark, d Deed) (Edits, error) {
	if err := e.allows(m); err != nil {
		return e, err
	}
	there := true
	unset := func(mark **Mark) { there, *mark = *mark != nil, nil }
	switch d {
	case Noting:
		there = len(e.Notes) > 0
		e.Notes = slices.Clone(e.Notes[:max(0, len(e.Notes)-1)])
	case Rewording:
		there = e.Title != "" || e.Summary != ""
		e.Title, e.Summary = "", ""
	case Identifying:
		unset(&e.Identified)
	case Resolving:
		unset(&e.Resolved)
	case CallingFalse:
		unset(&e.FalseAlarm)
	case Merging:
		unset(&e.MergedInto)
	case Publishing:
		there, e.Public = e.Public != nil, nil
	default:
		return e, fmt.Errorf("take back: got %q, expected note, reword, identify, resolve, false_alarm, merge or publish", d)
	}
	if !there {
		return e, fmt.Errorf("take back: got no %s, expected one to take back", d)
	}
	e = e.did(d, m)
	e.Log[len(e.Log)-1].Back = true
	return e, nil
}

// did adds to the log.
func (e Edits) did(d Deed, m Mark) Edits {
	e.Log = append(slices.Clip(e.Log), Act{Mark: m, Did: d})
	return e
}

// allows says why nothing can be done by that mark.
func (e Edits) allows(m Mark) error {
	if len(e.Log) >= actsMax {
		return fmt.Errorf("got %d acts, expected at most %d", len(e.Log)+1, actsMax)
	}
	return m.Check()
}

// Check says why a mark cannot be kept: it names no time or nobody, or its words are too
// long, are no text, or change the direction of what stands beside them.
func (m Mark) Check() error {
	switch {
	case m.At.IsZero():
		return errors.New("got no time, expected when it was done")
	case strings.TrimSpace(m.By) == "":
		return errors.New("got no name, expected who did it")
	}
	return cmp.Or(written("name", m.By, nameMax), written("text", m.Text, textMax))
}

func (m Mark) needsText(what string) error {
	if strings.TrimSpace(m.Text) == "" {
		return fmt.Errorf("%s: got no text, expected some words", what)
	}
	return nil
}

// written says why words cannot be kept.
func written(what, words string, most int) error {
	if n := utf8.RuneCountInString(words); n > most {
		return fmt.Errorf("%s: got %d characters, expected at most %d", what, n, most)
	}
	if !utf8.ValidString(words) {
		return fmt.Errorf("%s: got bytes that are no UTF-8, expected text", what)
	}
	if k := strings.IndexFunc(words, func(r rune) bool { return unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) }); k >= 0 {
		r, _ := utf8.DecodeRuneInString(words[k:])
		return fmt.Errorf("%s: got the control character %q, expected text", what, string(r))
	}
	return nil
}
