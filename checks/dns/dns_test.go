package dns_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	miekg "github.com/miekg/dns"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/dns"
)

// server is the address of a lab's server, who answers for example.net.
const server = "198.51.100.1"

func build(t *testing.T, target checks.Target, env checks.Env) *dns.Check {
	t.Helper()
	target.Every, target.Timeout = time.Minute, time.Minute
	c, err := dns.New(target, env)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// attempt asks a server over IPv4, once.
func attempt(t *testing.T, url string, answer ct.Answering, expected ...string) (r checks.Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		ct.ServeNames(t, lab.Server, answer)
		target := checks.Target{URL: url, Expect: checks.Expect{Answers: expected}}
		r = build(t, target, lab.Env()).Attempt(t.Context(), checks.IPv4)
	})
	return r
}

func want(t *testing.T, r checks.Result, phase checks.Phase, class checks.Class, after time.Duration, detail string) {
	t.Helper()
	if r.FailedPhase != phase || r.Class != class || r.Outcome != class.Outcome() || r.Elapsed != after {
		t.Errorf("got %s %s in %q after %s, want %s in %q after %s", r.Outcome, r.Class, r.FailedPhase, r.Elapsed, class, phase, after)
	}
	if r.Detail != detail {
		t.Errorf("detail %q, want %q", r.Detail, detail)
	}
}

func names(r checks.Result) string {
	var all []string
	for _, p := range r.Phases {
		all = append(all, string(p.Name))
	}
	return strings.Join(all, " ")
}

func zone() ct.Answering {
	return ct.Zone(
		"example.net. 300 IN A 192.0.2.10", "example.net. 300 IN A 192.0.2.11", "example.net. 300 IN AAAA 2001:db8::10",
		"example.net. 300 IN MX 10 mx.example.net.", "example.net. 300 IN MX 20 MX2.example.net.",
		`example.net. 300 IN TXT "v=spf1 -all"`, `example.net. 300 IN TXT "one " "two"`,
		"example.net. 300 IN NS ns1.example.net.", `example.net. 300 IN CAA 0 issue "example.org"`,
		"example.net. 300 IN SOA ns1.example.net. hostmaster.example.net. 7 7200 3600 1209600 300",
		"_imaps._tcp.example.net. 300 IN SRV 0 1 993 imap.example.net.",
		"_25._tcp.mx.example.net. 300 IN TLSA 3 1 1 "+strings.Repeat("0a", 32),
		"www.example.net. 300 IN CNAME web.example.org.", "web.example.org. 300 IN CNAME host.example.org.", "host.example.org. 300 IN A 192.0.2.80",
	)
}

func TestTypes(t *testing.T) {
	for _, tt := range []struct{ ask, answers, expected string }{
		{"example.net", "192.0.2.10 192.0.2.11", "192.0.2.11"},
		{"example.net?type=AAAA", "2001:db8::10", "2001:DB8:0::10"},
		{"Example.NET?type=MX", "10 mx.example.net. 20 MX2.example.net.", "20 mx2.EXAMPLE.net"},
		{"example.net.?TYPE=txt", `"v=spf1 -all" "one " "two"`, `one two`},
		{"example.net?type=TXT;class=in", `"v=spf1 -all" "one " "two"`, `"v=spf1" " -all"`},
		{"example.net?type=NS", "ns1.example.net.", "ns1.example.net"},
		{"example.net?type=CAA", `0 issue "example.org"`, `0 issue "example.org"`},
		{"example.net?type=SOA", "ns1.example.net. hostmaster.example.net. 7 7200 3600 1209600 300", "ns1.example.net hostmaster.example.net 7 7200 3600 1209600 300"},
		{"_imaps._tcp.example.net?type=SRV", "0 1 993 imap.example.net.", "0 1 993 imap.example.net"},
		{"_25._tcp.mx.example.net?type=TLSA", "3 1 1 " + strings.Repeat("0a", 32), "3 1 1 " + strings.Repeat("0A", 32)},
		{"www.example.net", "CNAME web.example.org. CNAME host.example.org. 192.0.2.80", "192.0.2.80"},
		{"www.example.net?type=CNAME", "web.example.org.", "WEB.example.org"},
		{"example.net?type=MX&transport=tcp", "10 mx.example.net. 20 MX2.example.net.", "10 mx.example.net"},
	} {
		r := attempt(t, "dns://"+server+"/"+tt.ask, zone(), tt.expected)
		want(t, r, "", "", 0, "")
		phases := "request"
		if strings.Contains(tt.ask, "tcp") && strings.Contains(tt.ask, "transport") {
			phases = "connect request"
		}
		if names(r) != phases || r.Address != server+":53" {
			t.Errorf("%s: phases %s to %s, want %s", tt.ask, names(r), r.Address, phases)
		}
		if got := strings.Join(r.Presented.Answers, " "); got != tt.answers || !slices.Equal(r.Presented.Replies, []string{"NOERROR aa"}) {
			t.Errorf("%s: shown %s and %s, want %s", tt.ask, r.Presented.Replies, got, tt.answers)
		}
	}
}

// TestAliasThatLeadsAway is all that a server knows which serves the alias and not
// what it stands for.
func TestAliasThatLeadsAway(t *testing.T) {
	away := func(change func(*miekg.Msg)) ct.Answering {
		return reply(func(m *miekg.Msg) {
			m.Authoritative, m.Answer = true, []miekg.RR{record("mail.example.net. 1 IN CNAME mx.example.org.")}
			change(m)
		})
	}
	const ask = "dns://" + server + "/mail.example.net"
	want(t, attempt(t, ask, away(func(*miekg.Msg) {})), "", "", 0, "an alias for mx.example.org, which others serve")
	const nothing = "mail.example.net has no A record"
	want(t, attempt(t, ask, away(func(*miekg.Msg) {}), "192.0.2.1"), checks.Request, checks.DNSError, 0, nothing)
	for _, change := range []func(*miekg.Msg){
		func(m *miekg.Msg) { m.RecursionAvailable = true },
		func(m *miekg.Msg) { m.Authoritative = false },
		func(m *miekg.Msg) { m.Ns = []miekg.RR{record("example.org. 1 IN SOA a.example. b.example. 1 1 1 1 1")} },
		func(m *miekg.Msg) { m.Answer = []miekg.RR{record("www.example.net. 1 IN CNAME mx.example.org.")} },
	} {
		want(t, attempt(t, ask, away(change)), checks.Request, checks.DNSError, 0, nothing)
	}
}

// reply answers a question after change has had its way with the answer.
func reply(change func(m *miekg.Msg)) ct.Answering {
	return func(question []byte, _ string, say func([]byte)) {
		var asked miekg.Msg
		if asked.Unpack(question) != nil {
			return
		}
		m := new(miekg.Msg).SetReply(&asked)
		change(m)
		if packed, err := m.Pack(); err == nil {
			say(packed)
		}
	}
}

func record(s string) miekg.RR {
	rr, err := miekg.NewRR(s)
	if err != nil {
		panic(err)
	}
	return rr
}

func code(rcode int, extra ...miekg.EDNS0) ct.Answering {
	return reply(func(m *miekg.Msg) {
		m.Rcode = rcode
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = extra
	})
}

func TestAnswersThatAreNotExpected(t *testing.T) {
	for _, tt := range []struct {
		name, ask string
		answer    ct.Answering
		class     checks.Class
		detail    string
		expected  []string
	}{
		{"another", "example.net?type=MX", zone(), checks.BodyMismatch, `the answer is 10 mx.example.net., 20 MX2.example.net., expected 10 mx2.example.net in it`, []string{"20 mx2.example.net", "10 mx2.example.net"}},
		{"text in another case", "example.net?type=TXT", zone(), checks.BodyMismatch, `the answer is "v=spf1 -all", "one " "two", expected One two in it`, []string{"One two"}},
		{"no such name", "nobody.example.net", zone(), checks.DNSError, "nobody.example.net does not exist (NXDOMAIN)", nil},
		{"no such type", "www.example.net?type=MX", zone(), checks.DNSError, "www.example.net has no MX record", nil},
		{"failure", "example.net", code(miekg.RcodeServerFailure), checks.DNSError, "SERVFAIL for example.net", nil},
		{"explained", "example.net", code(miekg.RcodeServerFailure, &miekg.EDNS0_EDE{InfoCode: 6, ExtraText: "no\x00keys"}), checks.DNSError, "SERVFAIL: DNSSEC Bogus, no keys for example.net", nil},
		{"refused", "example.net", code(miekg.RcodeRefused, &miekg.EDNS0_EDE{ExtraText: "not you"}), checks.Policy, "the server refuses us: REFUSED: not you", nil},
		{"not implemented", "example.net", code(miekg.RcodeNotImplemented), checks.DNSError, "NOTIMP for example.net", nil},
		{"bad version", "example.net", code(miekg.RcodeBadVers), checks.DNSError, "BADVERS for example.net", nil},
		{"a code that nobody knows", "example.net", code(3000), checks.DNSError, "RCODE3000 for example.net", nil},
		{"referral", "example.net", reply(func(m *miekg.Msg) { m.Ns = []miekg.RR{record("net. 1 IN NS a.example.")} }), checks.DNSError, "no answer for example.net, only a referral to a.example", nil},
		{"records of others", "example.net", reply(func(m *miekg.Msg) {
			m.Answer = []miekg.RR{record("example.org. 1 IN A 192.0.2.1"), record("a.example. 1 IN CNAME example.org.")}
		}), checks.DNSError, "example.net has no A record", nil},
		{"aliases in a ring", "example.net", reply(func(m *miekg.Msg) {
			m.Answer = []miekg.RR{record("a.example. 1 IN CNAME example.net."), record("example.net. 1 IN CNAME a.example.")}
		}), checks.DNSError, "example.net has no A record", nil},
		{"the root", ".?type=NS", reply(func(*miekg.Msg) {}), checks.DNSError, "the root has no NS record", nil},
		{"the question", "example.net", func(q []byte, _ string, say func([]byte)) { say(q) }, checks.ProtocolError, "not an answer: the question came back", nil},
		{"cut short", "example.net", func(q []byte, _ string, say func([]byte)) {
			q[2] |= 0x80
			say(q[:20])
		}, checks.ProtocolError, "not a DNS message: bad question name.", nil},
		{"two questions", "example.net", reply(func(m *miekg.Msg) { m.Question = append(m.Question, m.Question[0]) }), checks.ProtocolError, "not a DNS message: 2 questions", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, transport := range []string{"", "transport=tcp"} {
				url := "dns://" + server + "/" + tt.ask
				if strings.Contains(url, "?") {
					url += "&" + transport
				} else {
					url += "?" + transport
				}
				r := attempt(t, url, tt.answer, tt.expected...)
				detail := tt.detail
				if cut, ok := strings.CutSuffix(detail, "."); ok && strings.HasPrefix(r.Detail, cut) {
					detail = r.Detail // the rest is the library's
				}
				want(t, r, checks.Request, tt.class, 0, detail)
			}
		})
	}
}

func TestRefusedWithTheHeaderAlone(t *testing.T) {
	r := attempt(t, "dns://"+server+"/example.net", func(q []byte, _ string, say func([]byte)) {
		q[2] |= 0x80
		q[3] = 5
		say(q[:12])
	})
	want(t, r, checks.Request, checks.Policy, 0, "the server refuses us: REFUSED")
}

// TestOverLoopback asks a server over the machine's own network.
func TestOverLoopback(t *testing.T) {
	packets, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Skipf("no loopback here: %v", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 512)
		if n, from, err := packets.ReadFrom(buf); err == nil {
			zone()(buf[:n], "udp", func(m []byte) { _, _ = packets.WriteTo(m, from) })
		}
	}()
	c := build(t, checks.Target{URL: fmt.Sprintf("dns://%s/example.net?type=MX", packets.LocalAddr())}, checks.Env{Network: &checks.System{}})
	if r := c.Attempt(t.Context(), checks.IPv4); r.Outcome != checks.Up || len(r.Presented.Answers) != 2 {
		t.Errorf("got %+v, want up", r)
	}
	<-done
	if err := packets.Close(); err != nil {
		t.Fatal(err)
	}
	if r := c.Attempt(t.Context(), checks.IPv4); r.Class != checks.ConnectRefused || r.FailedPhase != checks.Request {
		t.Errorf("got %+v, want refused", r)
	}
}

// FuzzServer lets a server say anything, behind the right number and question.
func FuzzServer(f *testing.F) {
	for _, s := range []string{
		"", "\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x03net\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04\xc0\x00\x02\x01",
		"\x81\x80\x00\x01\xff\xff\xff\xff\xff\xff\x07example\x03net\x00\x00\x01\x00\x01\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x01\x00\x02\xc0\x0c",
		"\x83\x80\x00\x00\x00\x00\x00\x00\x00\x00", "\x81\x85\x00\x01\x00\x00\x00\x00\x00\x01\x07example\x03net\x00\x00\x01\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x06\x00\x0f\x00\x02\x00\x06",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, said string, stream bool) {
		url := "dns://" + server + "/example.net"
		if stream {
			url += "?transport=tcp"
		}
		r := attempt(t, url, func(q []byte, _ string, say func([]byte)) {
			if len(said) < 1<<16-2 {
				say(append(binary.BigEndian.AppendUint16(nil, binary.BigEndian.Uint16(q)), said...))
			}
		}, "192.0.2.1")
		last := r.Phases[len(r.Phases)-1].Name
		switch {
		case r.Elapsed > 10*time.Second, r.Outcome != r.Class.Outcome(), r.Class != "" && r.FailedPhase != last:
			t.Errorf("got %+v", r)
		case r.Presented != nil && len(r.Presented.Answers) > 64:
			t.Errorf("%d answers are shown", len(r.Presented.Answers))
		}
	})
}
