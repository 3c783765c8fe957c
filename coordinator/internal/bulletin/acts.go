package bulletin

import (
	"errors"
	"fmt"
	"slices"

	"varde/coordinator/internal/incident"
)

// Deed is what people can do with a bulletin beside what they do with its incident.
type Deed string

// The deeds. Whatever a person writes, the machine leaves the words alone from then on,
// until the bulletin is given back.
const (
	// Posting adds an update in a person's words; a first one publishes the bulletin.
	Posting Deed = "post"
	// Rewriting changes the text of an update.
	Rewriting Deed = "rewrite"
	// Taking keeps the machine from writing, Giving lets it write again.
	Taking Deed = "take"
	Giving Deed = "give"
)

// Order is what a person wants done.
type Order struct {
	incident.Mark
	Deed Deed `json:"deed"`
	// Update is the id of that to rewrite. Stage is that of a post, as it was if it is empty.
	Update string         `json:"update,omitempty"`
	Stage  incident.Stage `json:"stage,omitempty"`
}

// Apply returns the bulletin with the order done.
func (b Bulletin) Apply(o Order) (Bulletin, error) {
	if err := o.Check(); err != nil {
		return b, err
	}
	b = b.Clone()
	why, err := b.obey(o)
	if err != nil {
		return b, err
	}
	b.log(o.At, o.By, string(o.Deed), why)
	return b, nil
}

// obey does an order and says what a person did.
func (b *Bulletin) obey(o Order) (why string, err error) {
	mark := o.Mark
	switch o.Deed {
	case Posting:
		why, err = "a person wrote an update", b.post(o)
	case Rewriting:
		why, err = "a person wrote "+o.Update+" anew", b.rewrite(o)
	case Taking:
		if why = "a person writes from here on"; b.Taken != nil {
			return "", fmt.Errorf("take: %s has taken it already", b.Taken.By)
		}
	case Giving:
		if b.Taken == nil {
			return "", errors.New("give: nobody has taken it, expected one that a person has")
		}
		b.Taken = nil
		return "the machine writes again", nil
	default:
		return "", fmt.Errorf("got the deed %.40q, expected post, rewrite, take or give", o.Deed)
	}
	if b.Taken == nil && err == nil {
		b.Taken = &mark
	}
	return why, err
}

// post adds an update.
func (b *Bulletin) post(o Order) error {
	stages := []incident.Stage{incident.Investigating, incident.Identified, incident.Monitoring, incident.Resolved}
	if o.Stage == "" {
		o.Stage = b.Stage
	}
	if o.Stage == "" {
		o.Stage = incident.Investigating
	}
	switch {
	case o.Text == "":
		return errors.New("post: got no text, expected some words")
	case !slices.Contains(stages, o.Stage):
		return fmt.Errorf("post: got the stage %.40q, expected one of %v", o.Stage, stages)
	case len(b.Updates) >= updatesMost:
		return fmt.Errorf("post: got update %d, expected at most %d", len(b.Updates)+1, updatesMost)
	}
	b.say(o.At, o.Stage, o.Text, o.By)
	return nil
}

// rewrite changes the text of an update and says that it did.
func (b *Bulletin) rewrite(o Order) error {
	i := slices.IndexFunc(b.Updates, func(u Update) bool { return u.ID == o.Update })
	switch {
	case i < 0:
		return fmt.Errorf("rewrite: got update %.80q, expected one of this incident", o.Update)
	case o.Text == "":
		return errors.New("rewrite: got no text, expected some words")
	}
	b.Updates[i].Text, b.Updates[i].By, b.Updates[i].Edited = o.Text, o.By, o.At
	return nil
}
