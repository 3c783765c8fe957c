package dns_test

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	miekg "github.com/miekg/dns"

	"varde/checks"
	ct "varde/checks/checktest"
)

// TestLostDatagram loses the first of them, and all.
func TestLostDatagram(t *testing.T) {
	lossy := func(lost int32) ct.Answering {
		var seen atomic.Int32
		return func(q []byte, network string, say func([]byte)) {
			if seen.Add(1) > lost {
				zone()(q, network, say)
			}
		}
	}
	r := attempt(t, "dns://"+server+"/example.net", lossy(1))
	want(t, r, "", "", time.Second, "answered only when asked twice")
	r = attempt(t, "dns://"+server+"/example.net", lossy(2))
	want(t, r, checks.Request, checks.DNSTimeout, 5*time.Second, "no answer to the request within 5s")
}

func TestSlowAnswerToTheFirstDatagram(t *testing.T) {
	r := attempt(t, "dns://"+server+"/example.net", func(q []byte, network string, say func([]byte)) {
		time.Sleep(1200 * time.Millisecond)
		zone()(q, network, say)
	})
	want(t, r, "", "", 1200*time.Millisecond, "answered only when asked twice")
}

// TestStrangeDatagrams come before the answer: with another number, with another
// question, too short, and from elsewhere.
func TestStrangeDatagrams(t *testing.T) {
	strange := func(q []byte, network string, say func([]byte)) {
		other := slices.Clone(q)
		other[0]++
		say(other)
		reply(func(m *miekg.Msg) { m.Question[0].Name = "example.org." })(q, network, say)
		reply(func(m *miekg.Msg) { m.Question[0].Qtype = miekg.TypeMX })(q, network, say)
		say(q[:7])
	}
	r := attempt(t, "dns://"+server+"/example.net", func(q []byte, network string, say func([]byte)) {
		strange(q, network, say)
		zone()(q, network, say)
	})
	want(t, r, "", "", 0, "")
	if got := fmt.Sprint(r.Presented.Replies); got != "[NOERROR aa 4 datagrams that answer something else]" {
		t.Errorf("shown %s, want 4 strange ones", got)
	}
	r = attempt(t, "dns://"+server+"/example.net", strange)
	want(t, r, checks.Request, checks.DNSTimeout, 5*time.Second, "answer to the request not complete within 5s, 210 bytes came")
	r = attempt(t, "dns://"+server+"/example.net?transport=tcp", strange)
	want(t, r, checks.Request, checks.ProtocolError, 0, "an answer to another question")
}

func TestFloodOfStrangeDatagrams(t *testing.T) {
	r := attempt(t, "dns://"+server+"/example.net", func(_ []byte, _ string, say func([]byte)) {
		for range 200 {
			say(make([]byte, 4<<10))
			time.Sleep(time.Millisecond)
		}
	})
	want(t, r, checks.Request, checks.ProtocolError, 127*time.Millisecond, "more than 512 kB in one attempt")
}

// long is more than fits a datagram, and less than is looked at.
func long(n int) ct.Answering {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("example.net. 300 IN TXT %03d%s", i, strings.Repeat("x", 40)))
	}
	return ct.Zone(all...)
}

func TestAnswerThatDoesNotFitADatagram(t *testing.T) {
	last := "039" + strings.Repeat("x", 40)
	r := attempt(t, "dns://"+server+"/example.net?type=TXT", long(40), last)
	want(t, r, "", "", 0, "")
	if got := fmt.Sprint(r.Presented.Replies); got != "[NOERROR aa tc NOERROR aa]" || names(r) != "request" {
		t.Errorf("shown %s in %s, want one cut and one whole in one phase", got, names(r))
	}
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		ct.ServeNames(t, lab.Server, long(40))
		target := checks.Target{URL: "dns://" + server + "/example.net?type=TXT"}
		for effect, class := range map[ct.Effect]checks.Class{ct.Refuse: checks.ConnectRefused, ct.Drop: checks.DNSTimeout} {
			after := map[ct.Effect]time.Duration{ct.Drop: 4 * time.Second}[effect]
			lab.Rule(func(_, _ netip.AddrPort, network string) ct.Effect {
				if network == "tcp" {
					return effect
				}
				return ct.Pass
			})
			r := build(t, target, lab.Env()).Attempt(t.Context(), checks.IPv4)
			if r.Class != class || r.FailedPhase != checks.Request || r.Elapsed != after {
				t.Errorf("got %+v, want %s after %s", r, class, after)
			}
		}
	})
}

func TestOnlyTheFirstRecordsAreLookedAt(t *testing.T) {
	r := attempt(t, "dns://"+server+"/example.net?type=TXT&transport=tcp", long(900), "063"+strings.Repeat("x", 40))
	want(t, r, "", "", 0, "")
	r = attempt(t, "dns://"+server+"/example.net?type=TXT&transport=tcp", long(900), "064"+strings.Repeat("x", 40))
	if r.Class != checks.BodyMismatch || len(r.Presented.Answers) != 64 {
		t.Errorf("got %s with %d answers, want body_mismatch with 64", r.Class, len(r.Presented.Answers))
	}
}

// TestMemory has a server fill a message with what grows when it is read.
func TestMemory(t *testing.T) {
	var raw []byte
	label := "\x3f" + strings.Repeat("\x01", 63)
	name := strings.Repeat(label, 3) + "\x3d" + strings.Repeat("\x01", 61) + "\x00"
	records := strings.Repeat("\xc0\x1d\x00\x02\x00\x01\x00\x00\x00\x01\x00\x02\xc0\x1d", 4500)
	body := "\x81\x80\x00\x01\x11\x94\x00\x00\x00\x00\x07example\x03net\x00\x00\x02\x00\x01" + name + "\x00\x02\x00\x01\x00\x00\x00\x01\x00\x02\xc0\x1d" + records
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := attempt(t, "dns://"+server+"/example.net?type=NS&transport=tcp", func(q []byte, _ string, say func([]byte)) {
		raw = append(raw, q[:2]...)
		say(append(raw, body...))
	})
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 2<<20 || r.Class != checks.DNSError || len(r.Presented.Answers) != 64 {
		t.Errorf("took %d bytes, %s %s, want at most 2 MB and no record of that name", taken, r.Class, r.Detail)
	}
}

func TestNetwork(t *testing.T) {
	drop := func(from, to netip.AddrPort, network string) ct.Effect {
		if to == ct.Resolver() || from == ct.Resolver() {
			return ct.Pass
		}
		return ct.Drop
	}
	none := func(_, _ netip.AddrPort, network string) ct.Effect { return ct.NoRoute }
	for _, tt := range []struct {
		name, url string
		rule      ct.Rule
		family    checks.Family
		phases    string
		class     checks.Class
		after     time.Duration
		detail    string
	}{
		{"nobody there", "dns://198.51.100.1/example.net", nil, checks.IPv4, "request", checks.ConnectRefused, 0, "connection refused"},
		{"nobody there over TCP", "dns://198.51.100.1/example.net?transport=tcp", nil, checks.IPv4, "connect", checks.ConnectRefused, 0, "connection refused"},
		{"silence", "dns://198.51.100.1/example.net", drop, checks.IPv4, "request", checks.DNSTimeout, 5 * time.Second, "no answer to the request within 5s"},
		{"silence over TCP", "dns://198.51.100.1/example.net?transport=tcp", drop, checks.IPv4, "connect", checks.ConnectTimeout, 4 * time.Second, "no answer to the connection request within 4s"},
		{"no route", "dns://[2001:db8:2::1]/example.net", none, checks.IPv6, "request", checks.Unreachable, 0, "network is unreachable"},
		{"another port", "dns://198.51.100.1:5353/example.net", nil, checks.IPv4, "request", checks.ConnectRefused, 0, "connection refused"},
		{"a server by name", "dns://mail.example.net/example.net", drop, checks.IPv6, "resolve request", checks.DNSTimeout, 5 * time.Second, "no answer to the request within 5s"},
		{"a server without a name", "dns://nobody.example.net/example.net", nil, checks.IPv6, "resolve", checks.DNSError, 0, "nobody.example.net has no ipv6 address"},
		{"a server of the other family", "dns://198.51.100.1/example.net", nil, checks.IPv6, "resolve", checks.DNSError, 0, "198.51.100.1 is an address without ipv6"},
		{"no server of the family", "dns:///example.net", nil, checks.IPv6, "resolve", checks.OwnError, 0, "this machine has no name server over ipv6"},
		{"no family", "dns://198.51.100.1/example.net", nil, checks.NoFamily, "resolve", checks.OwnError, 0, "family 0, expected ipv4 or ipv6"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				lab.Rule(tt.rule)
				r := build(t, checks.Target{URL: tt.url}, lab.Env()).Attempt(t.Context(), tt.family)
				want(t, r, r.Phases[len(r.Phases)-1].Name, tt.class, tt.after, tt.detail)
				if names(r) != tt.phases {
					t.Errorf("phases %s, want %s", names(r), tt.phases)
				}
			})
		})
	}
}

func TestStoppedByUs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		ct.ServeNames(t, lab.Server, func([]byte, string, func([]byte)) {})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(1500*time.Millisecond, cancel)
		r := build(t, checks.Target{URL: "dns://" + server + "/example.net"}, lab.Env()).Attempt(ctx, checks.IPv4)
		want(t, r, checks.Request, checks.OwnError, 1500*time.Millisecond, "stopped by us: context canceled")
	})
}

// TestStreams has a server over TCP go wrong.
func TestStreams(t *testing.T) {
	for _, tt := range []struct {
		name   string
		step   ct.Step
		class  checks.Class
		after  time.Duration
		detail string
	}{
		{"silent", ct.Silence(), checks.DNSTimeout, 5 * time.Second, "no answer to the request within 5s"},
		{"drips", ct.Drip(strings.Repeat("\x01", 60), time.Second), checks.DNSTimeout, 5 * time.Second, "answer to the request not complete within 5s, 4 bytes came"},
		{"closes", ct.Hangup(), checks.Closed, 0, "the server closed the connection"},
		{"closes in the middle", ct.Both(ct.Send("\x00\x20abc"), ct.Hangup()), checks.Closed, 0, "the server closed the connection"},
		{"resets", ct.Break(), checks.Closed, 0, "the server reset the connection"},
		{"says nothing in two bytes", ct.Both(ct.Send("\x00\x00"), ct.Silence()), checks.ProtocolError, 0, "an answer to another question"},
		{"talks HTTP", ct.Both(ct.Send("HTTP/1.1 400 Bad Request\r\n\r\n"), ct.Hangup()), checks.Closed, 0, "the server closed the connection"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				lab.Play(t, ":53", tt.step)
				target := checks.Target{URL: "dns://" + server + "/example.net?transport=tcp"}
				want(t, build(t, target, lab.Env()).Attempt(t.Context(), checks.IPv4), checks.Request, tt.class, tt.after, tt.detail)
			})
		})
	}
}

func TestStreamThatIsCutToo(t *testing.T) {
	r := attempt(t, "dns://"+server+"/example.net", reply(func(m *miekg.Msg) { m.Truncated = true }))
	want(t, r, checks.Request, checks.ProtocolError, 0, "an answer that does not fit over TCP either")
}

// TestQuestion is what goes out: recursion and the resolver's word are asked
// for, and no more than a datagram holds.
func TestQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		heard := make(chan []byte, 1)
		ct.ServeNames(t, lab.Server, func(q []byte, network string, say func([]byte)) {
			heard <- q
			zone()(q, network, say)
		})
		build(t, checks.Target{URL: "dns://" + server + "/example.net"}, lab.Env()).Attempt(t.Context(), checks.IPv4)
		var m miekg.Msg
		if err := m.Unpack(<-heard); err != nil {
			t.Fatal(err)
		}
		opt := m.IsEdns0()
		if !m.RecursionDesired || !m.AuthenticatedData || m.Response || opt == nil || opt.UDPSize() != 1232 || opt.Do() {
			t.Errorf("asked %s", &m)
		}
	})
}

// TestServerThatKnowsNoExtensions refuses what it does not know (RFC 6891 section
// 7), and is asked once more without.
func TestServerThatKnowsNoExtensions(t *testing.T) {
	old := func(rcode int) ct.Answering {
		return func(q []byte, network string, say func([]byte)) {
			if q[11] == 0 { // no record beside the question
				zone()(q, network, say)
				return
			}
			say([]byte{q[0], q[1], 0x80, byte(rcode), 0, 0, 0, 0, 0, 0, 0, 0})
		}
	}
	for _, transport := range []string{"", "?transport=tcp"} {
		for _, rcode := range []int{miekg.RcodeFormatError, miekg.RcodeNotImplemented} {
			r := attempt(t, "dns://"+server+"/example.net"+transport, old(rcode), "192.0.2.10")
			want(t, r, "", "", 0, "")
			if !slices.Equal(r.Presented.Replies, []string{miekg.RcodeToString[rcode], "NOERROR aa"}) {
				t.Errorf("shown %s, want two answers", r.Presented.Replies)
			}
		}
		r := attempt(t, "dns://"+server+"/example.net"+transport, code(miekg.RcodeFormatError))
		want(t, r, checks.Request, checks.DNSError, 0, "FORMERR for example.net")
	}
}
