package statuspage

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/feeds"

	"varde/coordinator/internal/page"
)

// entry is one incident, or one announced work, as a feed and a calendar have it.
type entry struct {
	// id is a tag URI (RFC 4151), the same for ever.
	id, title, link    string
	published, updated time.Time
	// story is what was said, the newest first, as HTML.
	story string
}

// maxEntries is how many a feed has: a reader that comes once a week misses none.
const maxEntries = 50

// entries are what the page tells, what changed last first.
func (s *Site) entries(sc scene) ([]entry, error) {
	var out []entry
	for _, b := range sc.told {
		story, err := s.views.part("story", sc.bulletin(b))
		if err != nil {
			return nil, err
		}
		out = append(out, entry{sc.tag(b.Started, b.Incident), b.Title, sc.link("/incident/" + b.Incident), b.Told, b.Updated(), story})
	}
	for _, w := range sc.work {
		story, err := s.views.part("workstory", sc.workView(w))
		if err != nil {
			return nil, err
		}
		out = append(out, entry{sc.tag(w.Announced, w.ID), "Maintenance: " + w.Title, sc.link("/maintenance/" + w.ID), w.Announced, w.updated(sc.at), story})
	}
	slices.SortStableFunc(out, func(a, b entry) int { return b.updated.Compare(a.updated) })
	return out[:min(len(out), maxEntries)], nil
}

// tag is the tag URI of something that began at a time (RFC 4151): of the host of the
// page, or of no host that can be where it has none.
func (s scene) tag(began time.Time, name string) string {
	host := s.page.ID + ".invalid" // RFC 6761, section 6.4
	if u, err := url.Parse(s.page.URL); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	return "tag:" + host + "," + began.UTC().Format(time.DateOnly) + ":" + s.page.ID + "/" + name
}

// feed sends what the page tells of incidents and work; write is of one format.
func (s *Site) feed(path, kind string, write func(scene, []entry) (feeds.XmlFeed, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		s.send(w, r, path, func(_ context.Context, sc scene) (*page.Entity, error) {
			list, err := s.entries(sc)
			if err != nil {
				return nil, err
			}
			f, err := write(sc, list)
			if err != nil {
				return nil, err
			}
			text, err := feeds.ToXML(f)
			if err != nil {
				return nil, fmt.Errorf("write %s: %w", path, err)
			}
			return page.NewEntity(kind+"; charset=utf-8", []byte(text), page.Policy{Framed: true}), nil
		})
	}
}

// updatedAt is when the newest entry changed, or when the records began: the time of
// writing would make every answer another one.
func (s scene) updatedAt(list []entry) time.Time {
	if len(list) == 0 {
		return s.began
	}
	return list[0].updated.UTC()
}

// atom is the feed as RFC 4287 has it.
func atom(s scene, list []entry) (feeds.XmlFeed, error) {
	f := &feeds.AtomFeed{
		Xmlns: "http://www.w3.org/2005/Atom", Title: s.page.Title, Id: s.tag(s.began, "history"), Updated: s.updatedAt(list).Format(time.RFC3339),
		Author: &feeds.AtomAuthor{AtomPerson: feeds.AtomPerson{Name: s.page.Title}},
	}
	if s.page.URL != "" {
		f.Link = &feeds.AtomLink{Href: s.link("/history.atom"), Rel: "self", Type: "application/atom+xml"}
	}
	for _, e := range list {
		x := &feeds.AtomEntry{
			Title: e.title, Id: e.id, Published: e.published.UTC().Format(time.RFC3339), Updated: e.updated.UTC().Format(time.RFC3339),
			Content: &feeds.AtomContent{Type: "html", Content: e.story},
		}
		if e.link != "" {
			x.Links = []feeds.AtomLink{{Href: e.link, Rel: "alternate", Type: "text/html"}}
		}
		f.Entries = append(f.Entries, x)
	}
	return f, nil
}

// rss is the feed as RSS 2.0 has it, which wants a link.
func rss(s scene, list []entry) (feeds.XmlFeed, error) {
	f := &feeds.RssFeed{
		Title: s.page.Title, Link: s.link("/"), Description: "Incidents and maintenance, as " + s.page.Title + " tells them", Language: s.page.Language,
		LastBuildDate: s.updatedAt(list).Format(time.RFC1123Z), Ttl: 5,
	}
	for _, e := range list {
		f.Items = append(f.Items, &feeds.RssItem{
			Title: e.title, Link: e.link, Description: e.story, PubDate: e.published.UTC().Format(time.RFC1123Z),
			Guid: &feeds.RssGuid{Id: e.id, IsPermaLink: "false"},
		})
	}
	return f, nil
}

// part writes one of the pieces of templates.
func (v *views) part(name string, data any) (string, error) {
	var b bytes.Buffer
	if err := v.templates.ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return strings.TrimSpace(b.String()), nil
}

// feedLinks name the feeds in the head of a document.
const feedLinks template.HTML = `<link rel="alternate" type="application/atom+xml" title="Incidents" href="/history.atom">
<link rel="alternate" type="application/rss+xml" title="Incidents" href="/history.rss">`
