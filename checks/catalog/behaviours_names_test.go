package catalog_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"varde/checks"
	ct "varde/checks/checktest"
)

// askName asks for a name's records, "MX", and expects those given.
func askName(parameters string, expected ...string) ask {
	return to(checks.DNS, "dns://198.51.100.1/example.net?"+parameters, ":53").expects(checks.Expect{Answers: expected})
}

// answers is a name server.
func answers(how ct.Answering) world {
	return func(t *testing.T, lab *ct.Lab, _ ask) { ct.ServeNames(t, lab.Server, how) }
}

// changed is a name server whose answers are changed.
func changed(change func(*dns.Msg)) world { return answers(answering(change)) }

func answering(change func(*dns.Msg)) ct.Answering {
	return func(question []byte, _ string, say func([]byte)) {
		var asked dns.Msg
		if asked.Unpack(question) != nil {
			return
		}
		m := new(dns.Msg).SetReply(&asked)
		change(m)
		if packed, err := m.Pack(); err == nil {
			say(packed)
		}
	}
}

// code is a name server that answers with an error.
func code(rcode int) world { return changed(func(m *dns.Msg) { m.Rcode = rcode }) }

// raw is a name server that says bytes behind the number of the question.
func raw(words string) world {
	return answers(func(q []byte, _ string, say func([]byte)) { say([]byte(string(q[:2]) + words)) })
}

// names are the behaviours of name servers.
func names() []behaviour {
	const (
		phase, timeout, wrong, failed = checks.Request, checks.DNSTimeout, checks.ProtocolError, checks.DNSError
		five                          = 5 * time.Second
	)
	udp, tcp, mx := askName("type=NS"), askName("type=NS&transport=tcp"), askName("type=MX", "10 mx.example.net.")
	both, stream, datagram := []ask{udp, tcp}, []ask{tcp}, []ask{udp}
	silent := answers(func([]byte, string, func([]byte)) {})
	return []behaviour{
		{"a server is silent", both, silent, phase, timeout, five},
		{"the second datagram is answered", datagram, answers(second()), "", "", time.Second},
		{"SERVFAIL", both, code(dns.RcodeServerFailure), phase, failed, 0},
		{"NXDOMAIN", both, code(dns.RcodeNameError), phase, failed, 0},
		{"NODATA", both, code(dns.RcodeSuccess), phase, failed, 0},
		{"REFUSED", both, code(dns.RcodeRefused), phase, checks.Policy, 0},
		{"NOTIMP", both, code(dns.RcodeNotImplemented), phase, failed, 0},
		{"another record than expected", []ask{mx}, answers(ct.Zone("example.net. 300 IN MX 10 evil.example.org.")), phase, checks.BodyMismatch, 0},
		{"a record of another name", []ask{mx}, answers(other), phase, failed, 0},
		{"a loop of aliases", both, answers(ct.Zone("example.net. 300 IN CNAME www.example.net.", "www.example.net. 300 IN CNAME example.net.")), phase, failed, 0},
		{"a wrong number, in datagrams", datagram, changed(func(m *dns.Msg) { m.Id++ }), phase, timeout, five},
		{"a wrong number, over TCP", stream, changed(func(m *dns.Msg) { m.Id++ }), phase, wrong, 0},
		{"an answer to another question, in datagrams", datagram, changed(func(m *dns.Msg) { m.Question[0].Name = "example.org." }), phase, timeout, five},
		{"endless datagrams that answer nothing", datagram, answers(flood), phase, wrong, 127 * time.Millisecond},
		{"the question comes back", both, answers(func(q []byte, _ string, say func([]byte)) { say(q) }), phase, wrong, 0},
		{"garbage behind the number", both, raw("\x81\x80\x00\x01\xff\xff\xff\xff\xff\xffgarbage"), phase, wrong, 0},
		{"a name that points at itself", both, raw("\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\xc0\x0c\x00\x02\x00\x01"), phase, wrong, 0},
		{"an answer cut short, in datagrams", datagram, raw("\x81\x80\x00"), phase, timeout, five},
		{"too long for a datagram, and no TCP", datagram, func(t *testing.T, lab *ct.Lab, a ask) {
			changed(func(m *dns.Msg) { m.Truncated = true })(t, lab, a)
			under(ct.Refuse)(t, lab, a)
		}, phase, checks.ConnectRefused, 0},
		{"too long for TCP too", both, changed(func(m *dns.Msg) { m.Truncated = true }), phase, wrong, 0},
		{"64 kB of names that grow when they are read", stream, raw(growing()), phase, failed, 0},
		{"64 kB of names that grow, in their answers", stream, raw(swollen()), "", "", 0},
		{"NULs and invalid UTF-8 in a record", []ask{askName("type=TXT", "v=spf1 -all")}, answers(odd), phase, checks.BodyMismatch, 0},
		{"nobody listens for datagrams", datagram, nobody, phase, checks.ConnectRefused, 0},
		{"a byte a second over TCP", stream, plays(ct.Drip("\x02\x00"+strings.Repeat("\x01", 600), time.Second)), phase, timeout, five},
		{"closes over TCP", stream, plays(ct.Wait(time.Second), ct.Hangup()), phase, checks.Closed, time.Second},
		{"closes in its answer over TCP", stream, plays(ct.Send("\x00\x20abc"), ct.Hangup()), phase, checks.Closed, 0},
		{"half closes over TCP", stream, plays(ct.HalfClose(), ct.Silence()), phase, checks.Closed, 0},
		{"resets over TCP", stream, plays(ct.Break()), phase, checks.Closed, 0},
		{"an empty answer over TCP", stream, says("\x00\x00"), phase, wrong, 0},
		{"no name server of the family", []ask{to(checks.DNS, "dns:///example.net", "").over(checks.IPv6)}, nobody, checks.Resolve, checks.OwnError, 0},
	}
}

// second is a name server that hears the second datagram alone.
func second() ct.Answering {
	var mu sync.Mutex
	count := 0
	return func(q []byte, network string, say func([]byte)) {
		mu.Lock()
		defer mu.Unlock()
		if count++; count%2 == 0 {
			ct.Zone("example.net. 300 IN NS ns1.example.net.")(q, network, say)
		}
	}
}

// other answers with a record that nobody asked for.
func other(q []byte, network string, say func([]byte)) {
	answering(func(m *dns.Msg) {
		rr, err := dns.NewRR("example.org. 300 IN MX 10 mx.example.net.")
		if err == nil {
			m.Answer = append(m.Answer, rr)
		}
	})(q, network, say)
}

// odd answers with a text of bytes that are no words.
func odd(q []byte, network string, say func([]byte)) {
	answering(func(m *dns.Msg) {
		m.Answer = append(m.Answer, &dns.TXT{
			Hdr: dns.RR_Header{Name: "example.net.", Rrtype: dns.TypeTXT, Class: dns.ClassINET},
			Txt: []string{`\000\255\254\027[2J`, strings.Repeat("x", 255)},
		})
	})(q, network, say)
}

// flood says what answers nothing, a thousand times a second.
func flood(_ []byte, _ string, say func([]byte)) {
	for range 200 {
		say(make([]byte, 4<<10))
		time.Sleep(time.Millisecond)
	}
}

// heading is a message of 4,500 answers up to them, and its only long name.
func heading() (head, name string) {
	label := "\x3f" + strings.Repeat("\x01", 63)
	name = strings.Repeat(label, 3) + "\x3d" + strings.Repeat("\x01", 61) + "\x00"
	return "\x81\x80\x00\x01\x11\x94\x00\x00\x00\x00\x07example\x03net\x00\x00\x02\x00\x01", name
}

// growing are records of a long name that stands in the message once.
func growing() string {
	head, name := heading()
	return head + name + "\x00\x02\x00\x01\x00\x00\x00\x01\x00\x02\xc0\x1d" +
		strings.Repeat("\xc0\x1d\x00\x02\x00\x01\x00\x00\x00\x01\x00\x02\xc0\x1d", 4500)
}

// swollen are records of the name asked for, whose data is that long name.
func swollen() string {
	head, name := heading()
	return head + "\xc0\x0c\x00\x02\x00\x01\x00\x00\x00\x01\x00\xff" + name +
		strings.Repeat("\xc0\x0c\x00\x02\x00\x01\x00\x00\x00\x01\x00\x02\xc0\x29", 4500)
}
