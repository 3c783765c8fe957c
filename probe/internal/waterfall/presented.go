package waterfall

import (
	"fmt"
	"strings"
	"time"

	"varde/checks"
)

// shownWidth is where what a server says of itself is broken into lines, in
// characters.
const shownWidth = 76

// presented draws what the server showed of itself, as far as it came.
func (s Style) presented(b *strings.Builder, a Attempt) {
	if p := a.Result.Presented; p != nil {
		s.shown(b, "banner", p.Banner)
		s.shown(b, "protocol", p.Protocol)
	}
	if h := a.Result.TLS; h != nil {
		s.handshake(b, *h, a.At)
	}
	if p := a.Result.Presented; p != nil {
		s.shown(b, "offers", strings.Join(p.Capabilities, " · "))
		s.shown(b, "replies", strings.Join(p.Replies, " · "))
		s.shown(b, "answers", strings.Join(p.Answers, " · "))
	}
}

func (s Style) handshake(b *strings.Builder, h checks.Handshake, at time.Time) {
	if h.Version != "" {
		s.shown(b, "TLS", h.Version)
	}
	if len(h.Chain) == 0 {
		return
	}
	leaf := h.Chain[0]
	names := leaf.Names
	if len(names) == 0 {
		names = []string{leaf.Subject}
	}
	s.shown(b, "names", strings.Join(names, " · "))
	s.shown(b, "valid", "until "+leaf.NotAfter.UTC().Format(time.DateOnly)+left(leaf.NotAfter.Sub(at)))
	chain := []string{leaf.Issuer}
	for _, c := range h.Chain[1:] {
		chain = append(chain, c.Issuer)
	}
	s.shown(b, "signed by", strings.Join(chain, " ← "))
	s.shown(b, "key", leaf.Key)
}

// left says how many whole days there are to the end of a certificate.
func left(d time.Duration) string {
	const day = 24 * time.Hour
	switch days := int(d / day); {
	case d < 0:
		return ", expired"
	case days == 1:
		return ", 1 day left"
	default:
		return fmt.Sprintf(", %d days left", days)
	}
}

// shown draws one thing that was shown, with its name in front.
func (s Style) shown(b *strings.Builder, name, words string) {
	for i, line := range wrap(words, shownWidth) {
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(b, "  %s\n", s.paint(faint, fmt.Sprintf("%-10s %s", name, line)))
	}
}
