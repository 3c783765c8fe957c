package incident

import (
	"fmt"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// place names a series: "IMAP in Oceania over IPv4", with its check where the service
// has several.
func (a *atlas) place(s verdict.Series) string {
	service := a.service(s.Check)
	name := a.serviceName(service)
	if len(a.of[service]) > 1 {
		name += " (" + s.Check + ")"
	}
	return name + " in " + a.regionName(s.Region) + " over " + s.Family.Name()
}

// is says how a series is.
func is(s verdict.State) string {
	switch s {
	case verdict.Intermittent:
		return "fails at times"
	case verdict.Unknown:
		return "is not measured"
	case verdict.Up:
		return "is well"
	}
	return "is " + s.String()
}

// because adds the reason to what is said.
func because(words, reason string) string {
	if reason == "" {
		return words
	}
	return words + ": " + reason
}

// opening says with what an incident began.
func (a *atlas) opening(m *Member) string {
	return because(a.place(m.Series)+" "+is(m.State)+" since "+clock(m.Since), m.Reason)
}

// spreading says what a new member adds to an incident: a service, a region, a
// family, or a check of what is there.
func (a *atlas) spreading(i *Incident, m *Member) string {
	words := because(a.place(m.Series)+" "+is(m.State)+" since "+clock(m.Since), m.Reason)
	switch {
	case !i.some(func(o *Member) bool { return o.Service == m.Service }):
		return "Spread to " + a.serviceName(m.Service) + ": " + words
	case !i.some(func(o *Member) bool { return o.Region == m.Region }):
		return "Spread to " + a.regionName(m.Region) + ": " + words
	case !i.some(func(o *Member) bool { return o.Family == m.Family }):
		return "Spread to " + m.Family.Name() + ": " + words
	}
	return "Also " + words
}

// following says what became of a member that was in the given state; over says that
// its trouble was over.
func (a *atlas) following(i *Incident, m *Member, was verdict.State, over bool, reason string) string {
	place := a.place(m.Series)
	switch {
	case m.State == verdict.Unknown:
		return because(place+" is not measured, and what is not known is not well", reason)
	case m.State == verdict.Up && over:
		return because(place+" is measured again, and is well", reason)
	case m.State == verdict.Up:
		return because(a.healing(i, m), reason)
	case over:
		return because(place+" "+is(m.State)+" again", reason)
	case was == verdict.Unknown:
		return because(place+" is measured again, and "+is(m.State), reason)
	case m.State > was:
		return because(place+" is worse: it was "+was.String()+" and "+is(m.State), reason)
	}
	return because(place+" is better: it was "+was.String()+" and "+is(m.State), reason)
}

// healing says that a member is well again, and whether all of its region is.
func (a *atlas) healing(i *Incident, m *Member) string {
	words := a.place(m.Series) + " is well again"
	if i.some(func(o *Member) bool { return o.Region == m.Region && !o.well() }) {
		return words
	}
	return words + ", and so is all of it in " + a.regionName(m.Region)
}

// clock writes a time of the day: "07:42:10 UTC".
func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// moment writes a time: "21 Oct 2021, 07:42 UTC".
func moment(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }

// between writes a stretch of time: "from 21 Oct 2021, 07:42 to 08:10 UTC".
func between(from, to time.Time) string {
	if from.UTC().Format(time.DateOnly) != to.UTC().Format(time.DateOnly) {
		return "from " + moment(from) + " to " + moment(to)
	}
	return "from " + from.UTC().Format("2 Jan 2006, 15:04") + " to " + to.UTC().Format("15:04 UTC")
}

// lasting writes a duration in whole units, cut: "3 min", "1 h 5 min".
func lasting(d time.Duration) string {
	switch s := int(d / time.Second); {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min", s/60)
	case s/60%60 == 0:
		return fmt.Sprintf("%d h", s/3600)
	default:
		return fmt.Sprintf("%d h %d min", s/3600, s/60%60)
	}
}

// list joins names as in a sentence: "a", "a and b", "a, b and c".
func list(names []string) string {
	n := len(names)
	if n < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
}

// fails are classes in plain words: what was seen, not what it means.
func fails(class checks.Class) string {
	words := map[checks.Class]string{
		checks.DNSTimeout: "the name servers do not answer", checks.DNSError: "the name is not resolved",
		checks.ConnectTimeout: "TCP connects time out", checks.ConnectRefused: "TCP connects are refused",
		checks.ConnectReset: "TCP connects are reset", checks.Unreachable: "the network says that there is no way there",
		checks.TLSTimeout: "the TLS handshake gets no answer", checks.TLSError: "the TLS handshake fails",
		checks.CertExpired: "the certificate has expired", checks.CertName: "the certificate is for another name",
		checks.CertUntrusted:   "the certificate is not trusted",
		checks.GreetingTimeout: "the greeting does not come", checks.GreetingError: "the greeting is not one",
		checks.Busy:        "the server says that it is busy",
		checks.AuthTimeout: "logins get no answer", checks.AuthTempfail: "the server says that logins fail for now",
		checks.AuthRejected: "logins are refused", checks.Policy: "the server refuses our probes",
		checks.CommandTimeout: "commands get no answer", checks.ProtocolError: "the answers are not of the protocol",
		checks.Closed: "connections are cut", checks.HTTPStatus: "the HTTP status is not the one expected",
		checks.BodyMismatch: "the answer is not the one expected", checks.Late: "mail is late",
	}
	return words[class]
}

// lasts are phases in plain words, of what takes longer than usual.
func lasts(phase checks.Phase) string {
	words := map[checks.Phase]string{
		checks.Resolve: "finding the address", checks.Connect: "the TCP connect", checks.TLS: "the TLS handshake",
		checks.Greeting: "the greeting", checks.StartTLS: "STARTTLS", checks.Capability: "the list of capabilities",
		checks.Auth: "the login", checks.Select: "opening the mailbox", checks.Request: "the request",
		checks.FirstByte: "the first byte of the answer", checks.Body: "the answer", checks.Submit: "taking the mail",
		checks.Deliver: "delivering the mail", checks.Logout: "the logout",
	}
	if words[phase] == "" {
		return ""
	}
	return words[phase] + " takes long"
}
