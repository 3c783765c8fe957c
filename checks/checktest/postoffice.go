package checktest

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// PostOffice is a mail provider with one account: what is handed in over SMTP
// can be found over IMAP. It takes every login.
type PostOffice struct {
	mu       sync.Mutex // protects all following fields
	delivers func(Letter) (mailbox string, after time.Duration)
	answers  func(line string) string
	adds     string
	unable   bool
	letters  []Letter
	uid      uint32
	logins   int
}

// Delivers sets where a mail arrives, and after how long; nowhere if the mailbox is
// empty. Nil delivers to INBOX at once.
func (p *PostOffice) Delivers(rule func(Letter) (mailbox string, after time.Duration)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delivers = rule
}

// Answers sets who is asked before each command of a client, a line without its
// tag, and before the end of a message ("."). What it returns is said instead of
// doing it; "bye" closes the connection, after "." when the mail was taken. Nil
// does everything.
func (p *PostOffice) Answers(rule func(line string) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = rule
}

// Adds sets what is put before the header of each mail that is handed in.
func (p *PostOffice) Adds(header string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.adds = header
}

// CannotExpunge takes away the means to remove single messages.
func (p *PostOffice) CannotExpunge() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unable = true
}

// Letter is a mail in a mailbox.
type Letter struct {
	Mailbox string
	// At is when it arrives there.
	At      time.Time
	Text    string
	uid     uint32
	deleted bool
}

// PostOffice opens a post office at ports 465 (SMTP) and 993 (IMAP) of the lab's
// server, both with TLS, until the test ends.
func (l *Lab) PostOffice(t TB) *PostOffice {
	t.Helper()
	p := &PostOffice{}
	for port, serve := range map[string]func(*clerk){":465": (*clerk).smtp, ":993": (*clerk).imap} {
		Serve(t, tls.NewListener(l.Listen(t, port), l.TLS()), func(_ context.Context, conn net.Conn) {
			serve(&clerk{office: p, conn: conn, read: bufio.NewReader(conn)})
		})
	}
	return p
}

// Put puts a mail into a mailbox.
func (p *PostOffice) Put(mailbox, text string) { p.put(mailbox, text, 0) }

func (p *PostOffice) put(mailbox, text string, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.uid++
	p.letters = append(p.letters, Letter{Mailbox: mailbox, At: time.Now().Add(after), Text: text, uid: p.uid})
}

// Letters returns what a mailbox holds now.
func (p *PostOffice) Letters(mailbox string) []Letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []Letter
	for _, l := range p.letters {
		if l.Mailbox == mailbox && !l.At.After(time.Now()) {
			all = append(all, l)
		}
	}
	return all
}

// Empty throws away what a mailbox holds.
func (p *PostOffice) Empty(mailbox string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.letters = slices.DeleteFunc(p.letters, func(l Letter) bool { return l.Mailbox == mailbox })
}

// Logins returns how often somebody logged in over IMAP.
func (p *PostOffice) Logins() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.logins
}

// take brings a mail that was handed in to where it belongs.
func (p *PostOffice) take(text string) {
	p.mu.Lock()
	l, rule := Letter{Mailbox: "INBOX", Text: p.adds + text}, p.delivers
	p.mu.Unlock()
	var after time.Duration
	if rule != nil {
		l.Mailbox, after = rule(l)
	}
	if l.Mailbox != "" {
		p.put(l.Mailbox, l.Text, after)
	}
}

// clerk serves one client.
type clerk struct {
	office  *PostOffice
	conn    net.Conn
	read    *bufio.Reader
	mailbox string
}

func (c *clerk) say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.conn, format+"\r\n", args...) // a client that left is seen at the next read
}

func (c *clerk) line() (string, bool) {
	line, err := c.read.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err == nil
}

// instead says what the test wants said; going is false when that ends it.
func (c *clerk) instead(line, tag string) (said, going bool) {
	c.office.mu.Lock()
	rule := c.office.answers
	c.office.mu.Unlock()
	if rule == nil {
		return false, true
	}
	switch answer := rule(line); answer {
	case "":
		return false, true
	case "bye":
		return true, false
	default:
		c.say("%s%s", tag, answer)
		return true, true
	}
}

func (c *clerk) smtp() {
	c.say("220 mail.example.net ESMTP")
	for {
		line, ok := c.line()
		if !ok {
			return
		}
		said, going := c.instead(line, "")
		if !going {
			return
		}
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch {
		case said:
		case verb == "EHLO":
			c.say("250-mail.example.net\r\n250 AUTH PLAIN")
		case verb == "AUTH":
			c.say("235 2.7.0 in")
		case verb == "DATA":
			c.say("354 go on")
			if !c.data() {
				return
			}
		case verb == "QUIT":
			c.say("221 bye")
			return
		default:
			c.say("250 2.0.0 ok")
		}
	}
}

// data reads a message and takes it.
func (c *clerk) data() (going bool) {
	var text strings.Builder
	for {
		line, ok := c.line()
		if !ok {
			return false
		}
		if line == "." {
			break
		}
		text.WriteString(strings.TrimPrefix(line, ".") + "\r\n")
	}
	said, going := c.instead(".", "")
	if said && going {
		return true // refused
	}
	c.office.take(text.String())
	if going {
		c.say("250 2.0.0 taken")
	}
	return going
}

func (c *clerk) imap() {
	c.say("* OK here")
	for {
		line, ok := c.line()
		if !ok {
			return
		}
		tag, command, _ := strings.Cut(line, " ")
		said, going := c.instead(command, tag+" ")
		if !going {
			return
		}
		if said {
			continue
		}
		if verb, _, _ := strings.Cut(command, " "); verb == "LOGOUT" {
			c.say("* BYE bye\r\n%s OK out", tag)
			return
		}
		c.office.mu.Lock()
		c.do(command)
		c.office.mu.Unlock()
		c.say("%s OK done", tag)
	}
}

// do does one command, with the office locked.
func (c *clerk) do(command string) {
	words := strings.Fields(command)
	switch verb := strings.Join(words[:min(2, len(words))], " "); {
	case words[0] == "CAPABILITY":
		more := " UIDPLUS"
		if c.office.unable {
			more = ""
		}
		c.say("* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR SPECIAL-USE%s", more)
	case words[0] == "AUTHENTICATE":
		c.office.logins++
	case words[0] == "LIST":
		c.say(`* LIST () "/" INBOX` + "\r\n" + `* LIST (\Junk) "/" Spam` + "\r\n" + `* LIST (\Sent) "/" "Sent Items"`)
	case words[0] == "SELECT":
		c.mailbox = strings.Trim(strings.Join(words[1:], " "), `"`)
		c.say("* %d EXISTS", len(c.here()))
	case verb == "UID SEARCH":
		c.search(strings.Trim(words[len(words)-1], `"`))
	case verb == "UID FETCH":
		c.fetch(words[2], command)
	case verb == "UID STORE":
		c.each(words[2], func(l *Letter) { l.deleted = true })
	case verb == "UID EXPUNGE":
		gone := map[uint32]bool{}
		c.each(words[2], func(l *Letter) { gone[l.uid] = l.deleted })
		c.office.letters = slices.DeleteFunc(c.office.letters, func(l Letter) bool { return gone[l.uid] })
	}
}

// here are the letters in the mailbox that is open.
func (c *clerk) here() []*Letter {
	var all []*Letter
	for i := range c.office.letters {
		if l := &c.office.letters[i]; l.Mailbox == c.mailbox && !l.At.After(time.Now()) {
			all = append(all, l)
		}
	}
	return all
}

func (c *clerk) each(set string, do func(*Letter)) {
	for _, l := range c.here() {
		if slices.Contains(strings.Split(set, ","), fmt.Sprint(l.uid)) {
			do(l)
		}
	}
}

// search looks for letters with a header X-Probe-Id that holds value.
func (c *clerk) search(value string) {
	var found strings.Builder
	for _, l := range c.here() {
		header, _, _ := strings.Cut(l.Text, "\r\n\r\n")
		for line := range strings.Lines(header) {
			if rest, ok := strings.CutPrefix(line, "X-Probe-Id:"); ok && strings.Contains(rest, value) {
				_, _ = fmt.Fprintf(&found, " %d", l.uid) // a builder takes everything
				break
			}
		}
	}
	c.say("* SEARCH%s", found.String())
}

// fetch says the headers of letters, of them the fields that the command names if
// it names any, from the beginning as far as it wants them.
func (c *clerk) fetch(set, command string) {
	section, size := command[strings.Index(command, "[")+1:strings.LastIndex(command, "]")], 0
	_, partial, _ := strings.Cut(command, "]<0.")
	_, _ = fmt.Sscanf(partial, "%d>", &size) // zero of a command that has none
	_, list, chosen := strings.Cut(section, "(")
	fields := strings.Fields(strings.ToLower(strings.TrimSuffix(list, ")")))
	c.each(set, func(l *Letter) {
		header := ""
		whole, _, _ := strings.Cut(l.Text, "\r\n\r\n")
		wanted := false
		for line := range strings.Lines(whole + "\r\n") {
			if name, _, _ := strings.Cut(strings.ToLower(line), ":"); line[0] != ' ' && line[0] != '\t' {
				wanted = !chosen || slices.Contains(fields, name)
			}
			if wanted {
				header += line
			}
		}
		header += "\r\n"
		header = header[:min(len(header), size)]
		c.say("* 1 FETCH (UID %d INTERNALDATE %q BODY[%s]<0> {%d}", l.uid, l.At.UTC().Format("02-Jan-2006 15:04:05 -0700"), section, len(header))
		_, _ = io.WriteString(c.conn, header+")\r\n")
	})
}
