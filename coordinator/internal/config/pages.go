package config

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/bulletin"
	"varde/proto/document"
)

// Page is one public page.
type Page struct {
	ID string `yaml:"id"`
	// Title heads the page, the id if not given.
	Title string `yaml:"title"`
	// URL is where readers find it, https://status.example.net; its host
	// chooses the page. Only the first page may leave it out.
	URL string `yaml:"url"`
	// Services are the ids that it shows, in order; every service if none is given.
	Services []string `yaml:"services"`
	// Tell says who decides that an incident is told: the page itself (auto, if not given),
	// a person who is asked and else waited for (approve), or people alone (manual).
	Tell bulletin.Mode `yaml:"tell"`
	// Dwell is how long trouble lasts before it is told.
	Dwell Dwell `yaml:"dwell"`
	// ApproveWithin is how long a person is waited for, 10 minutes if not given.
	ApproveWithin time.Duration `yaml:"approve_within"`
	// Language is that of what is told: one of bulletin.Languages, "en" if not given, or
	// the path of a file with the words of another one.
	Language string `yaml:"language"`
}

// Dwell is how long trouble lasts before it is told, by its impact: 5, 2 and 1 minutes if
// not given.
type Dwell struct {
	Minor    time.Duration `yaml:"minor"`
	Major    time.Duration `yaml:"major"`
	Critical time.Duration `yaml:"critical"`
}

// The longest times of a page. What is held back for longer is not told in time.
const (
	maxDwell   = time.Hour
	maxApprove = day
)

func (c Config) pagesWithDefaults() []Page {
	pages := slices.Clone(c.Pages)
	if len(pages) == 0 {
		pages = []Page{{ID: "main", Title: "Status"}}
	}
	for i := range pages {
		p := &pages[i]
		p.Title, p.Tell, p.Language = cmp.Or(p.Title, p.ID), cmp.Or(p.Tell, bulletin.Auto), cmp.Or(p.Language, "en")
		p.ApproveWithin = cmp.Or(p.ApproveWithin, 10*time.Minute)
		p.Dwell.Minor, p.Dwell.Major = cmp.Or(p.Dwell.Minor, 5*time.Minute), cmp.Or(p.Dwell.Major, 2*time.Minute)
		p.Dwell.Critical = cmp.Or(p.Dwell.Critical, time.Minute)
		if len(p.Services) == 0 {
			p.Services = distinct(c.serviceIDs())
		}
	}
	return pages
}

func (v *validator) pages(c Config) {
	v.count("pages", len(c.Pages), 1, MaxPages, "page")
	v.unique("pages", ".id", collect(c.Pages, func(p Page) string { return p.ID }))
	hosts := map[string]int{}
	for i, p := range c.Pages {
		at := fmt.Sprintf("pages[%d]", i)
		v.id(at+".id", p.ID)
		v.text(at+".title", p.Title)
		v.references(at+".services", "service", p.Services, c.serviceIDs())
		v.told(at, p)
		host, ok := site(p.URL)
		if first, taken := hosts[host]; taken && ok {
			v.add(at+".url", "got host %s as pages[%d] has, expected one page a host", quote(host), first)
		}
		if !ok && (p.URL != "" || i > 0) {
			v.add(at+".url", "got %s, expected https://host", quoteURL(p.URL))
		}
		if ok {
			hosts[host] = i
		}
	}
}

// told checks what a page says of incidents, and when.
func (v *validator) told(at string, p Page) {
	if modes := []bulletin.Mode{bulletin.Auto, bulletin.Approve, bulletin.Manual}; !slices.Contains(modes, p.Tell) {
		v.add(at+".tell", "got %s, expected auto, approve or manual", quote(string(p.Tell)))
	}
	for key, d := range map[string]time.Duration{"minor": p.Dwell.Minor, "major": p.Dwell.Major, "critical": p.Dwell.Critical} {
		if d > maxDwell {
			v.add(at+".dwell."+key, "got %s, expected at most %s", d, maxDwell)
		}
	}
	if p.ApproveWithin > maxApprove {
		v.add(at+".approve_within", "got %s, expected at most %s", p.ApproveWithin, maxApprove)
	}
	if !p.ownWords() && !slices.Contains(bulletin.Languages(), p.Language) {
		v.add(at+".language", "got %s, expected %s, or the path of a .yaml file with words", quote(p.Language), strings.Join(bulletin.Languages(), ", "))
	}
}

// ownWords says that the words of the page stand in a file of the operators.
func (p Page) ownWords() bool { return filepath.Ext(p.Language) == ".yaml" }

// Lexicon returns the words of the page's language. The error names the file, if there is
// one.
func (p Page) Lexicon() (*bulletin.Lexicon, error) {
	if !p.ownWords() {
		return bulletin.BuiltIn(p.Language)
	}
	data, err := document.ReadFile(p.Language, document.MaxBytes)
	if err != nil {
		return nil, err
	}
	return bulletin.ParseLexicon(p.Language, data)
}

// lexiconFaults makes sure that every page has words.
func (c Config) lexiconFaults() []*checks.FieldError {
	var faults []*checks.FieldError
	for i, p := range c.Pages {
		if !p.ownWords() {
			continue
		}
		if _, err := p.Lexicon(); err != nil {
			faults = append(faults, unreadable(fmt.Sprintf("pages[%d].language", i), p.Language, err, "a file with the words of a language"))
		}
	}
	return faults
}
