package statuspage

import (
	"context"
	"net/http"
	"strings"
	"unicode"

	ics "github.com/arran4/golang-ical"

	"varde/coordinator/internal/page"
)

// calendar sends announced work as a calendar (RFC 5545). A change of an event counts its
// SEQUENCE up; work that was called off stays as CANCELLED, so that it leaves the calendars
// that have it.
func (s *Site) calendar(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	s.send(w, r, "/history.ics", func(_ context.Context, sc scene) (*page.Entity, error) {
		c := ics.NewCalendar()
		c.SetProductId("-//varde//status page//EN")
		c.SetMethod(ics.MethodPublish)
		c.SetXWRCalName(plainText(sc.page.Title + ": maintenance"))
		c.SetRefreshInterval("PT1H", ics.WithValue("DURATION"))
		for i, x := range sc.work {
			if i < maxEntries {
				c.AddVEvent(sc.event(x))
			}
		}
		return page.NewEntity("text/calendar; charset=utf-8", []byte(c.Serialize()), page.Policy{Framed: true}), nil
	})
}

func (s scene) event(w Work) *ics.VEvent {
	e := ics.NewEvent(w.ID + "@" + strings.Split(strings.TrimPrefix(s.tag(w.Announced, ""), "tag:"), ",")[0])
	e.SetDtStampTime(w.updated(s.at))
	e.SetCreatedTime(w.Announced)
	e.SetStartAt(w.From)
	e.SetEndAt(w.To)
	e.SetSummary(plainText(w.Title))
	e.SetDescription(plainText("Announced maintenance of " + s.where(w)))
	e.SetStatus(ics.ObjectStatusConfirmed)
	e.SetSequence(0)
	if !w.Cancelled.IsZero() {
		e.SetSequence(1)
	}
	if w.calledOff() {
		e.SetStatus(ics.ObjectStatusCancelled)
	}
	if link := s.link("/maintenance/" + w.ID); link != "" {
		e.SetURL(link)
	}
	return e
}

// plainText has no control characters: a calendar is lines, and not every program that
// reads them escapes alike.
func plainText(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}
