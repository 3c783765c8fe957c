package statuspage

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/page"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed statuspage.css
var pageCSS string

// views turns prepared values into documents.
type views struct {
	templates *template.Template
	shell     *page.Shell
	policy    page.Policy
}

func newViews() (*views, error) {
	t, err := template.ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	sheet := page.NewSheet(pageCSS)
	shell, err := page.NewShell(sheet, false)
	if err != nil {
		return nil, err
	}
	return &views{t, shell, page.Policy{Style: sheet.Source()}}, nil
}

// entity renders a template into a finished document.
func (v *views) entity(name, title, description string, data any) (*page.Entity, error) {
	var b bytes.Buffer
	if err := v.templates.ExecuteTemplate(&b, name, data); err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	body := strings.TrimSpace(b.String())
	doc, err := v.shell.HTML(page.Document{Title: title, Description: description, Head: feedLinks, Body: template.HTML(body)})
	if err != nil {
		return nil, err
	}
	return page.NewEntity("text/html; charset=utf-8", doc, v.policy), nil
}

// frame is what every page has around its content.
type frame struct {
	Mast template.HTML
	// Masthead is the name of the page; what follows is set in grey.
	Masthead, MastheadRest string
	Nav                    []navLink
	Brand                  template.HTML
	Places                 string
}

type navLink struct{ Link, Text string }

func (s scene) frame(nav ...navLink) frame {
	name, rest := s.page.Title, ""
	if head, ok := strings.CutSuffix(name, " status"); ok {
		name, rest = head, "status"
	}
	mark := "Beacon unlit: no trouble is measured"
	if s.lit() {
		mark = "Beacon lit: something is wrong"
	}
	return frame{
		Mast: graph.Mast(s.lit(), 28, "mast", mark), Masthead: name, MastheadRest: rest, Nav: nav,
		Brand: graph.Mast(s.lit(), 24, "", "") + graph.Wordmark(), Places: s.places(),
	}
}

// places says from where the page is measured.
func (s scene) places() string {
	if len(s.regions) == 1 {
		return graph.Count(s.probes(), "place") + " in " + s.regions[0].Name
	}
	return graph.Count(s.probes(), "place") + " in " + graph.Count(len(s.regions), "region")
}

// moments of the page, for machines and for people.
type stamp struct{ Machine, Text, Ago string }

func stampOf(t, at time.Time) *stamp {
	return &stamp{t.UTC().Format(time.RFC3339), moment(t, at), graph.Span(at.Sub(t))}
}

// heroView is the first thing that a reader sees.
type heroView struct {
	First, Rest string
	Since       *stamp
	Measured    string
	Written     stamp
	// Stale says that the page could not be renewed.
	Stale string
}

// staleFrom is the age of a snapshot from which the page says that it could
// not be renewed.
const staleFrom = time.Minute

// hero is made of the snapshot; now is the time of the request.
func (s scene) hero(now time.Time) heroView {
	h := s.headline()
	v := heroView{First: h.First, Rest: h.Rest, Measured: "Measured from " + s.places() + ", "}
	if newest := s.newest(); newest.IsZero() {
		v.Measured += "no observation yet."
	} else {
		v.Measured += "newest observation " + graph.Span(s.at.Sub(newest)) + " ago."
	}
	if !h.Since.IsZero() {
		v.Since = stampOf(h.Since, s.at)
	}
	v.Written = stamp{Machine: s.at.Format(time.RFC3339), Text: s.at.Format("2 Jan, 15:04:05 UTC")}
	if now.Sub(s.at) >= staleFrom {
		v.Stale = "This page could not be renewed for " + graph.Span(now.Sub(s.at)) + ". What it shows is of then, not of now."
	}
	return v
}

// title of a document: the page and its headline.
func (s scene) title() string {
	return s.page.Title + ": " + strings.TrimSuffix(s.headline().First, ".")
}

// notice sends a page that holds no measurement. Both texts are constants of
// ours: nothing of the request is in them, so that each is made once.
func (s *Site) notice(w http.ResponseWriter, r *http.Request, status int, first, rest string) {
	k := noticeKey{s.pageOf(r), first}
	e, err := s.notices.Get(k, func() (*page.Entity, error) {
		p := s.pages[k.page]
		data := struct {
			frame
			First, Rest string
		}{scene{page: p}.frame(), first, rest}
		data.Mast = graph.Mast(false, 28, "", "")
		return s.views.entity("notice.html", p.Title+": "+strings.TrimSuffix(first, "."), "", data)
	})
	if err != nil {
		s.logger.Error("status page cannot be written", "error", err)
		http.Error(w, first, status)
		return
	}
	e.Send(w, r, status, 0)
}

// missing answers for every path that there is not.
func (s *Site) missing(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		s.notice(w, r, http.StatusMethodNotAllowed, "This page can only be read.", "Expected GET or HEAD.")
		return
	}
	s.notice(w, r, http.StatusNotFound, "There is no such page.", "The address may have been mistyped, or the service may have been renamed.")
}
