package page

import (
	"net/http"
	"strings"
)

// Policy is what a browser may do with an answer.
type Policy struct {
	// Style is the source expression of the one style sheet; none if empty.
	Style string
	// Script is the source expression of the one script; none if empty. What names one
	// may also read from its own origin.
	Script string
	// Forms says whether the page may send forms to its own origin.
	Forms bool
	// Framed says whether others may show the answer inside their pages.
	Framed bool
}

// Header is the Content-Security-Policy: nothing is allowed but the named
// style sheet and script and pictures of our own.
func (p Policy) Header() string {
	parts := []string{"default-src 'none'", "img-src 'self' data:", "base-uri 'none'"}
	if p.Style != "" {
		parts = append(parts, "style-src "+p.Style)
	}
	if p.Script != "" {
		parts = append(parts, "script-src "+p.Script, "connect-src 'self'")
	}
	if p.Forms {
		parts = append(parts, "form-action 'self'")
	} else {
		parts = append(parts, "form-action 'none'")
	}
	if !p.Framed {
		parts = append(parts, "frame-ancestors 'none'")
	}
	return strings.Join(parts, "; ")
}

// Set writes the policy and its companions into h.
func (p Policy) Set(h http.Header) {
	h.Set("Content-Security-Policy", p.Header())
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if p.Forms {
		// Of a page without a referrer a browser sends its forms with the origin
		// "null" (Fetch, section 3.2), and nobody could tell that they are ours.
		h.Set("Referrer-Policy", "same-origin")
	}
	if !p.Framed {
		h.Set("X-Frame-Options", "DENY")
	}
}
