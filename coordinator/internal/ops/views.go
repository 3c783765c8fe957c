package ops

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/page"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed ops.css
var opsCSS string

// The scripts, one a page at most.
var (
	//go:embed overview.js
	overviewJS string
	//go:embed graphs.js
	graphsJS string
)

// views turns prepared values into documents.
type views struct {
	templates *template.Template
	shell     *page.Shell
	policy    page.Policy
	// overview is the script of the overview, graphs that of pages with graphs over time.
	overview, graphs script
}

// script is what one page runs, and the policy that allows it that and nothing else.
type script struct {
	source template.JS
	policy page.Policy
}

func newScript(source string, p page.Policy) script {
	p.Script = page.Source(source)
	return script{template.JS(source), p}
}

func newViews() (*views, error) {
	t, err := template.ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	sheet := page.NewSheet(opsCSS)
	shell, err := page.NewShell(sheet, true)
	if err != nil {
		return nil, err
	}
	plain := page.Policy{Style: sheet.Source(), Forms: true}
	return &views{t, shell, plain, newScript(overviewJS, plain), newScript(graphsJS, plain)}, nil
}

// show sends a page.
func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	var b bytes.Buffer
	err := s.views.templates.ExecuteTemplate(&b, name, data)
	var doc []byte
	if err == nil {
		doc, err = s.views.shell.HTML(page.Document{Title: title, Body: template.HTML(strings.TrimSpace(b.String()))})
	}
	if err != nil {
		s.logger.Error("page cannot be written", "path", r.URL.Path, "error", err)
		http.Error(w, "the page could not be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// A reader that has gone needs no answer.
		_, _ = w.Write(doc)
	}
}

// bar is the line over every page.
type bar struct {
	Mast, Word  template.HTML
	Current     string
	Coordinator string
	Plan        uint64
	OnPlan      int
	Probes      int
	// Newest is the age of the newest observation, empty if there is none.
	Newest  string
	Written stamp
	// PageToken is set where an operator can log out.
	PageToken string
}

// stamp is a time for machines and for people.
type stamp struct{ Machine, Text string }

func stampOf(t time.Time, format string) stamp {
	return stamp{t.UTC().Format(time.RFC3339), t.UTC().Format(format)}
}

func (s *Server) bar(now Now, current string) bar {
	lit := slices.ContainsFunc(now.Verdicts, func(v Verdict) bool { return graph.MarkOf(v.State).Trouble() })
	title := "Beacon unlit: no trouble is measured"
	if lit {
		title = "Beacon lit: something is wrong"
	}
	b := bar{
		Mast: graph.Mast(lit, 24, "mast", title), Word: graph.Wordmark(), Current: current,
		Coordinator: now.Coordinator, Plan: now.Plan, Probes: len(now.Probes), Written: stampOf(now.At, "15:04:05 UTC"),
	}
	for _, p := range now.Probes {
		if p.Plan == now.Plan {
			b.OnPlan++
		}
	}
	var newest time.Time
	for _, r := range now.Regions {
		if r.Newest.After(newest) {
			newest = r.Newest
		}
	}
	if !newest.IsZero() {
		b.Newest = graph.Span(now.At.Sub(newest))
	}
	if s.gate.closed() {
		b.PageToken = s.gate.pageToken()
	}
	return b
}

// notice sends a page that only says something.
func (s *Server) notice(w http.ResponseWriter, r *http.Request, status int, problem string) {
	s.show(w, r, status, "notice.html", "varde: "+http.StatusText(status), struct {
		Mast, Word     template.HTML
		Title, Problem string
	}{graph.Mast(false, 24, "", ""), graph.Wordmark(), http.StatusText(status), problem})
}

// loginView is the form that asks for the token.
type loginView struct {
	Mast, Word template.HTML
	PageToken  string
	Wrong      bool
}

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.gate.admitted(r); ok && (s.gate.token != "" || v.provider != "" || !s.gate.closed()) {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	s.showLogin(w, r, http.StatusOK, false)
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request, status int, wrong bool) {
	s.show(w, r, status, "login.html", "varde: log in", loginView{
		graph.Mast(false, 24, "", ""), graph.Wordmark(), s.gate.pageToken(), wrong,
	})
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	v, ok := s.gate.owner(r.PostFormValue("token"))
	if !ok {
		s.logger.Warn("login refused", "remote", r.RemoteAddr)
		s.showLogin(w, r, http.StatusForbidden, true)
		return
	}
	http.SetCookie(w, s.gate.session(v, r.TLS != nil))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	c := s.gate.session(viewer{}, r.TLS != nil)
	c.Value, c.MaxAge = "", -1
	http.SetCookie(w, c)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// when writes a time of the last day as "07:42:31", and an older one with its
// day.
func when(t, at time.Time) string {
	if at.Sub(t) < 24*time.Hour {
		return t.UTC().Format("15:04:05")
	}
	return t.UTC().Format("2 Jan, 15:04")
}
