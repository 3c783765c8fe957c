package ops

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"path"
	"strings"

	"varde/coordinator/internal/page"
	"varde/coordinator/internal/report"
	"varde/coordinator/internal/report/archive"
)

// Reports are those that were written and are kept.
type Reports interface {
	// List names them, the newest month first.
	List() ([]archive.Name, error)
	// Read is one of them; archive.ErrNone if it is not there.
	Read(n archive.Name, f report.Format) ([]byte, error)
}

var _ Reports = (*archive.Archive)(nil)

// noReports is the archive where there is none.
type noReports struct{}

// List names none.
func (noReports) List() ([]archive.Name, error) { return nil, nil }

// Read finds none.
func (noReports) Read(archive.Name, report.Format) ([]byte, error) { return nil, archive.ErrNone }

// List names the provider's own reports.
func (s share) List() ([]archive.Name, error) {
	list, err := s.all.reports.List()
	return kept(list, func(n archive.Name) bool { return n.Provider == s.provider }), err
}

// Read is one of the provider's own.
func (s share) Read(n archive.Name, f report.Format) ([]byte, error) {
	if n.Provider != s.provider {
		return nil, archive.ErrNone
	}
	return s.all.reports.Read(n, f)
}

var _ Reports = share{}

// ReportPath is where a report is found on the operators' pages.
func ReportPath(n archive.Name, f report.Format) string {
	return "/reports/" + n.String() + "." + string(f)
}

// reportsView is the list of reports.
type reportsView struct {
	Bar      bar
	Headline string
	Reports  []reportView
}

// reportView is one report of the list.
type reportView struct {
	Month, Whose string
	Links        []linkView
}

// linkView leads somewhere on these pages.
type linkView struct{ Path, Name string }

func (s *Server) reportsPage(w http.ResponseWriter, r *http.Request) {
	s.withNow(w, r, func(_ context.Context, now Now) error {
		list, err := s.reports.List()
		if err != nil {
			return err
		}
		v := reportsView{Bar: s.bar(now, "Numbers"), Headline: "No report is written yet."}
		if len(list) > 0 {
			v.Headline = list[0].Month.Name() + " is the newest report."
		}
		for _, n := range list {
			v.Reports = append(v.Reports, reportViewOf(n))
		}
		s.show(w, r, http.StatusOK, "reports.html", "varde: reports", v)
		return nil
	})
}

func reportViewOf(n archive.Name) reportView {
	v := reportView{Month: n.Month.Name(), Whose: "all services, for operators"}
	if n.Provider != "" {
		v.Whose = "services of " + n.Provider + ", to send"
	}
	for _, f := range report.Formats() {
		v.Links = append(v.Links, linkView{ReportPath(n, f), strings.ToUpper(string(f))})
	}
	return v
}

func (s *Server) reportFile(w http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	ending := path.Ext(file)
	f, err := report.ParseFormat(strings.TrimPrefix(ending, "."))
	var n archive.Name
	if err == nil {
		n, err = archive.ParseName(strings.TrimSuffix(file, ending))
	}
	var b []byte
	if err == nil {
		b, err = s.reports.Read(n, f)
	}
	switch {
	case n.Month == report.Month{} || errors.Is(err, archive.ErrNone):
		s.missing(w, r)
		return
	case err != nil:
		s.ours(w, r, err)
		return
	}
	// The page brings its own style sheet, that of the version which wrote it.
	page.Policy{Style: page.Source(styleIn(b))}.Set(w.Header())
	w.Header().Set("Content-Type", f.ContentType())
	if f != report.HTML {
		w.Header().Set("Content-Disposition", `attachment; filename="varde-`+file+`"`)
	}
	// A reader that has gone needs no answer.
	_, _ = w.Write(b)
}

// styleIn is the first style sheet of a page; empty if there is none.
func styleIn(doc []byte) string {
	_, rest, _ := bytes.Cut(doc, []byte("<style>"))
	css, _, ok := bytes.Cut(rest, []byte("</style>"))
	if !ok {
		return ""
	}
	return string(css)
}
