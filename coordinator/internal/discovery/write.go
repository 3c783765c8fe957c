package discovery

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"varde/checks"
)

// head stands above the services.
const head = `# Found at %s by asking each endpoint once. Call the services what your
# customers call them, and add what you promise, as slo: 99.9.
# Nobody has said consent: true, so no check may run more often than every %s.
# Say it where the servers are yours or their operator agreed: then 30s is usual,
# and %s the least.
`

// SectionServices writes the services of a configuration, those with a check
// that is up, and says in comments what was not found.
func (r *Report) SectionServices() string {
	var b strings.Builder
	fmt.Fprintf(&b, head, r.Domain, short(checks.FloorUnasked), short(checks.MinEvery))
	for _, line := range r.Blanks() {
		fmt.Fprintf(&b, "# - %s\n", oneLine(line))
	}
	if r.Up() == 0 {
		b.WriteString("services: []\n")
	} else {
		b.WriteString("services:\n")
	}
	for _, s := range r.Services {
		if len(s.Findings) > 0 {
			fmt.Fprintf(&b, "%s  - {id: %s, name: %s}\n", sign(s.up() == 0), s.ID, s.Name)
		}
	}
	return b.String()
}

// SectionChecks writes the checks of a configuration. What is not up is there
// in comments, with its reason.
func (r *Report) SectionChecks() string {
	var b strings.Builder
	if r.Up() == 0 {
		b.WriteString("checks: []\n")
	} else {
		b.WriteString("checks:\n")
	}
	if slices.ContainsFunc(r.Services, func(s Service) bool { return s.ID == mx && len(s.Findings) > 0 }) {
		b.WriteString(blocked)
	}
	for _, wanted := range []bool{true, false} {
		if !wanted && r.Up() < r.Found() {
			b.WriteString(silenced)
		}
		for _, s := range r.Services {
			for _, f := range s.Findings {
				if (f.Outcome == checks.Up) == wanted {
					f.write(&b)
				}
			}
		}
	}
	return b.String()
}

// blocked is what a person should know of port 25.
const blocked = `  # Many hosters of VPSes block port 25 outwards: a probe there sees
  # connect_timeout at smtp://, whatever the server does. Such a check can name
  # the regions that reach it, as regions: [eu-north].
`

// silenced stands above the checks that are comments.
const silenced = `# Found, but not up when asked, so nobody asks them. Take the signs off what is
# mended, here and at its service. A page that is meant to answer otherwise than
# 200 can say so, as expect: {status: 302}.
`

// Up is how many endpoints are up.
func (r *Report) Up() int {
	n := 0
	for _, s := range r.Services {
		n += s.up()
	}
	return n
}

// Found is how many endpoints were asked, up or not.
func (r *Report) Found() int {
	n := 0
	for _, s := range r.Services {
		n += len(s.Findings)
	}
	return n
}

func (s Service) up() int {
	n := 0
	for _, f := range s.Findings {
		if f.Outcome == checks.Up {
			n++
		}
	}
	return n
}

// write writes one check, behind signs of a comment unless it is up.
func (f Finding) write(b *strings.Builder) {
	line := func(format string, args ...any) {
		fmt.Fprintf(b, sign(f.Outcome != checks.Up)+"  "+format+"\n", args...)
	}
	line("# %s", oneLine(f.Source))
	switch {
	case f.Outcome != checks.Up:
		line("# %s: %s", f.Outcome, oneLine(f.Trouble))
	case f.Trouble != "":
		line("# %s", oneLine(f.Trouble))
	}
	line("- id: %s", f.Target.ID)
	line("  service: %s", f.Target.Service)
	line("  kind: %s", f.Target.Kind)
	line("  url: %s", f.Target.URL)
	line("  every: %s", short(f.Target.Every))
	if len(f.Target.Families) > 0 {
		line("  families: [%s]", f.Target.Families[0])
	}
}

// sign begins a line that is a comment.
func sign(comment bool) string {
	if comment {
		return "#"
	}
	return ""
}

// short writes 3m0s as 3m.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	return s
}

// oneLine keeps words of others from ending the comment in which they stand.
func oneLine(words string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, words)
}
