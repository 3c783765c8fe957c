package roundtrip

import (
	"net/mail"
	"regexp"
	"strings"

	"github.com/emersion/go-msgauth/authres"
)

// authentication fills in what the receiving server found out about the sender
// (RFC 8601). Servers write their header on top, one for each method; it counts
// as theirs when it bears the name of the topmost one and stands above all that
// bear another. What came with the mail may be anybody's.
func (a *Arrival) authentication(h mail.Header) {
	var server string
	for _, field := range h["Authentication-Results"] {
		name, results, err := authres.Parse(uncommented(field))
		if server == "" {
			server = strings.ToLower(name)
		}
		if name == "" || strings.ToLower(name) != server {
			return
		}
		if err != nil && len(results) == 0 {
			continue
		}
		for _, r := range results {
			a.take(r)
		}
	}
}

// take keeps the first result of each method, and of several signatures one
// that is good: that is all that DKIM promises.
func (a *Arrival) take(r authres.Result) {
	switch r := r.(type) {
	case *authres.SPFResult:
		keep(&a.SPF, r.Value)
	case *authres.DKIMResult:
		if r.Value == authres.ResultPass {
			a.DKIM = ""
		}
		keep(&a.DKIM, r.Value)
	case *authres.DMARCResult:
		keep(&a.DMARC, r.Value)
	}
}

var resultPattern = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)

func keep(word *string, v authres.ResultValue) {
	if *word == "" && resultPattern.MatchString(string(v)) {
		*word = string(v)
	}
}

// uncommented leaves out comments (RFC 5322 section 3.2.2), in which a semicolon
// would end a result.
func uncommented(field string) string {
	var out strings.Builder
	depth, escaped := 0, false
	for _, c := range field {
		switch {
		case escaped:
			escaped = false
			continue
		case c == '\\' && depth > 0:
			escaped = true
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
			out.WriteByte(' ')
		case depth == 0:
			out.WriteRune(c)
		}
	}
	return out.String()
}
