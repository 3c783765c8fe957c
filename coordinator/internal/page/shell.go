package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"

	"varde/coordinator/internal/graph"
)

//go:embed base.css
var baseCSS string

//go:embed shell.html
var shellHTML string

// Sheet is the whole style sheet of a page. Colours, base and marks come
// first; what a page adds follows.
type Sheet struct{ css string }

// NewSheet returns the sheet of a page with the given additions.
func NewSheet(additions ...string) Sheet {
	css := graph.Palette() + baseCSS + graph.Style()
	for _, a := range additions {
		css += a
	}
	return Sheet{css}
}

// Source names the sheet in a Content-Security-Policy: the source expression
// of its SHA-256 (CSP3, section 2.3.1).
func (s Sheet) Source() string { return Source(s.css) }

// Source names a style sheet or a script by its hash, e.g. the sheet of a stand-alone
// SVG.
func Source(css string) string {
	sum := sha256.Sum256([]byte(css))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Shell puts bodies into documents. It is made once and may be used from many
// goroutines.
type Shell struct {
	template *template.Template
	sheet    Sheet
	private  bool
}

// NewShell returns the shell for pages with the given sheet. The pages of
// private shells ask search engines to stay away.
func NewShell(sheet Sheet, private bool) (*Shell, error) {
	t, err := template.New("shell").Parse(shellHTML)
	if err != nil {
		return nil, fmt.Errorf("parse shell: %w", err)
	}
	return &Shell{t, sheet, private}, nil
}

// Document is what differs from page to page.
type Document struct {
	Title string
	// Description is what search engines and previews show.
	Description string
	// Head are more elements of <head>, the addresses of feeds.
	Head template.HTML
	// Body is everything inside <body>; it holds an element with the id
	// "main", to which the first link of the page leads.
	Body template.HTML
}

// HTML returns the whole document.
func (s *Shell) HTML(d Document) ([]byte, error) {
	var b bytes.Buffer
	err := s.template.Execute(&b, struct {
		Document
		Private bool
		Icon    template.URL
		CSS     template.CSS
		Symbols template.HTML
	}{d, s.private, template.URL(graph.Icon()), template.CSS(s.sheet.css), template.HTML(graph.Symbols())})
	if err != nil {
		return nil, fmt.Errorf("write page: %w", err)
	}
	return b.Bytes(), nil
}
