package imap

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// pieces writes a command with its arguments, cut where the server must agree
// before more is sent: behind the size of each literal (RFC 9051 4.3). The
// line break behind a size and the one at the command's end are the sender's.
func pieces(verb string, args ...string) []string {
	all := []string{verb}
	for _, arg := range args {
		last := len(all) - 1
		if quotable(arg) {
			all[last] += " " + quote(arg)
			continue
		}
		all[last] += fmt.Sprintf(" {%d}", len(arg))
		all = append(all, arg)
	}
	return all
}

// quotable says whether s may be sent as a quoted string by a client that has
// agreed on nothing: printable ASCII (RFC 3501 section 9, TEXT-CHAR).
func quotable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
