package imap

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-imap/utf7"
)

// mailboxMax bounds the name of a mailbox, in bytes.
const mailboxMax = 512

// encodeName returns a mailbox's name in modified UTF-7 (RFC 3501 5.1.3), which
// every server takes.
func encodeName(name string) (string, error) {
	if name == "" || len(name) > mailboxMax || !utf8.ValidString(name) || strings.ContainsAny(name, "\x00\r\n") {
		return "", fmt.Errorf("%.64q, expected a name of at most %d bytes on one line", name, mailboxMax)
	}
	return utf7.Encoding.NewEncoder().String(name)
}

// mailbox is one that a server lists.
type mailbox struct {
	marks []string // as the server writes them, `\Junk`
	name  string   // in UTF-8
	leaf  string   // the last part of name, in lower case
}

type mailboxes []mailbox

// listed is the mailbox that a LIST response tells of, if it can be opened and
// its name can be read.
func (r response) listed() mailboxes {
	if r.tag != "*" || r.word != "LIST" {
		return nil
	}
	d := newData(r)
	marks, ok := d.list()
	separator, sOK := d.word()
	raw, nOK := d.word()
	name, err := utf7.Encoding.NewDecoder().String(raw)
	if !ok || !sOK || !nOK || err != nil || marked(marks, `\Noselect`) || marked(marks, `\NonExistent`) {
		return nil
	}
	leaf := name
	if i := strings.LastIndex(name, separator); i >= 0 && separator != "" && !strings.EqualFold(separator, "NIL") {
		leaf = name[i+len(separator):]
	}
	return mailboxes{{marks: marks, name: name, leaf: strings.ToLower(leaf)}}
}

func marked(marks []string, mark string) bool {
	return slices.ContainsFunc(marks, func(m string) bool { return strings.EqualFold(m, mark) })
}

// of returns the mailboxes with a mark or, where none has it, with one of the
// names.
func (all mailboxes) of(mark string, names []string) []string {
	var byMark, byName []string
	for _, m := range all {
		if marked(m.marks, mark) {
			byMark = append(byMark, m.name)
		}
		if slices.Contains(names, m.leaf) {
			byName = append(byName, m.name)
		}
	}
	if byMark != nil {
		return byMark
	}
	return byName
}

// junkNames are what a mailbox for junk is called by those who do not mark it.
func junkNames() []string {
	return []string{"junk", "spam", "junk mail", "junk email", "junk e-mail", "bulk mail"}
}

// sentNames are what a mailbox for mail that was sent is called.
func sentNames() []string {
	return []string{"sent", "sent mail", "sent items", "sent messages"}
}
