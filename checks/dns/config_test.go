package dns

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"varde/checks"
)

func TestURLs(t *testing.T) {
	for url, want := range map[string]query{
		"dns://192.0.2.53/example.net?type=MX":             {server: at("192.0.2.53", 53), name: "example.net", rtype: TypeMX},
		"dns://[2001:db8::53]:5353/example.net.":           {server: at("2001:db8::53", 5353), name: "example.net."},
		"dns://ns1.example.net./_dmarc.example.net?type=t": {},
		"dns:///example.net?type=aaaa;transport=TCP":       {name: "example.net", rtype: TypeAAAA, stream: true},
		"dns://_dmarc.example.net?TYPE=TXT&class=in":       {name: "_dmarc.example.net", rtype: TypeTXT},
		"dns://192.0.2.53/.?type=NS":                       {server: at("192.0.2.53", 53), name: ".", rtype: TypeNS},
		"dns:///%2A.example.net":                           {name: "*.example.net"},
	} {
		got, err := readURL(checks.Target{URL: url})
		got.server.URL, got.server.Scheme = nil, ""
		if want.name == "" {
			if err == nil {
				t.Errorf("%s was taken as %+v", url, got)
			}
			continue
		}
		if got != want || err != nil {
			t.Errorf("%s: got %+v, %v, want %+v", url, got, err, want)
		}
		if own := AsksOwn(checks.Target{URL: url}); own != (want.server.Host == "") {
			t.Errorf("%s: asks the own resolver: %v", url, own)
		}
	}
}

func at(host string, port uint16) checks.Endpoint { return checks.Endpoint{Host: host, Port: port} }

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		url      string
		expected []string
		want     string
	}{
		{"dns://192.0.2.53", nil, `url: "dns://192.0.2.53", expected the name to ask for behind the server: dns://192.0.2.53/example.net`},
		{"dns://ns1.example.net:53", nil, `url: "dns://ns1.example.net:53", expected the name to ask for behind the server: dns://ns1.example.net:53/example.net`},
		{"dns://example.net/", nil, `url: name "", expected one in ASCII: dns://server/name or dns:///name`},
		{"dns:///b%C3%BCcher.example", nil, `url: name "bücher.example", expected one in ASCII: dns://server/name or dns:///name`},
		{"dns:///" + strings.Repeat("a", 64) + ".net", nil, `url: name "` + strings.Repeat("a", 64) + `.net", expected one in ASCII: dns://server/name or dns:///name`},
		{"dns://a_b%2Fc/example.net", nil, `url: "dns://a_b%2Fc/example.net", expected dns://server/name or dns:///name`},
		{"dns://192.0.2.53:0/example.net", nil, `url: port "0", expected 1 to 65535`},
		{"dns:///example.net?type=ANY", nil, `url: type "ANY", expected one of [A AAAA CAA CNAME MX NS SOA SRV TLSA TXT]`},
		{"dns:///example.net?type=A&type=A", nil, `url: type twice, expected it once`},
		{"dns:///example.net?transport=udp", nil, `url: "transport=udp", expected type=TYPE or transport=tcp`},
		{"dns:///example.net?class=CH", nil, `url: "class=CH", expected type=TYPE or transport=tcp`},
		{"dns:///example.net#a", nil, `url: fragment "a", expected none`},
		{"tcp:///example.net", nil, `url: scheme "tcp", expected dns`},
		{"dns:///example.net?type=MX", []string{"mx.example.net"}, `expect.answers: "mx.example.net", expected the data of a record of type MX such as 10 mx.example.net.`},
		{"dns:///example.net?type=A", []string{"2001:db8::1"}, `expect.answers: "2001:db8::1", expected the data of a record of type A such as 192.0.2.1`},
		{"dns:///example.net", []string{"mx"}, `expect.answers: "mx", expected the data of a record of type A such as 192.0.2.1`},
		{"dns:///example.net?type=TXT", []string{""}, `expect.answers: "", expected the data of a record of type TXT such as v=spf1 -all`},
		{"dns:///example.net?type=NS", []string{"ns\n$INCLUDE x"}, `expect.answers: "ns\n$INCLUDE x", expected the data of a record of type NS such as host.example.net.`},
		{"dns:///example.net?type=A", make([]string, 65), `expect.answers: 65 answers, expected at most 64`},
	} {
		err := Validate(checks.Target{URL: tt.url, Expect: checks.Expect{Answers: tt.expected}})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.url, err, tt.want)
		}
	}
	err := Validate(checks.Target{
		URL: "dns:///example.net", Login: &checks.Login{}, Expect: checks.Expect{Body: "x"},
	})
	var f *checks.FieldError
	if !errors.As(err, &f) || !strings.Contains(err.Error(), "login: ") || !strings.Contains(err.Error(), "expect.body: ") {
		t.Errorf("got %v, want faults in login and expect.body", err)
	}
}

func TestEveryExampleIsOne(t *testing.T) {
	for _, rtype := range Types() {
		if _, err := parse(rtype, example(rtype)); err != nil {
			t.Errorf("%s: %s: %v", rtype, example(rtype), err)
		}
	}
}

// FuzzURL takes any address that is taken apart into a question that can be sent.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"dns://192.0.2.53/example.net?type=MX", "dns:///a?type=A;transport=tcp", "dns://a", "dns://[::1]:53/.", "dns:a", "dns:///%41?%41=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := readURL(checks.Target{URL: raw})
		if err != nil {
			return
		}
		for _, family := range []checks.Family{checks.IPv4, checks.IPv6} {
			s := session{asked: question(q.name, q.asks(family))}
			s.sent = s.message()
			if _, err := s.sent.Pack(); err != nil {
				t.Errorf("%q was taken but cannot be asked: %v", raw, err)
			}
		}
	})
}

// FuzzExpectation finds whatever can be expected in the answer that holds it.
func FuzzExpectation(f *testing.F) {
	for _, s := range []string{
		"10 mx.example.net", "192.0.2.1", "2001:db8::1", `0 issue "a"`, `"a\"b" "\007"`, "v=spf1; -all", `\# 4 c0000201`,
		"3 1 1 00", "a. b. 1 2 3 4 5", "0 1 2 a", "( 10 a )", `1\0460 a`, "ü",
	} {
		for i := range Types() {
			f.Add(s, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, written string, i uint8) {
		rtype := Types()[int(i)%len(Types())]
		if rtype == TypeCAA && strings.Contains(written, `\`) {
			return // its tag and value come without escapes from the wire, and lose some on the way back
		}
		all, err := expectations([]Type{rtype}, []string{written})
		if err != nil {
			return
		}
		rr := dns.Copy(all[rtype][0].record)
		rr.Header().Name, rr.Header().Ttl = "example.net.", 300
		m := dns.Msg{Answer: []dns.RR{rr}}
		packed, err := m.Pack()
		if err == nil {
			m, err = unpack(packed)
		}
		if err != nil || !all[rtype][0].among(found(&m, question("Example.NET", rtype))) {
			t.Errorf("%s %q is not in the answer %v: %v", rtype, written, m.Answer, err)
		}
		// What is shown can be written as expected; the tag of a CAA stands there bare.
		again, err := parse(rtype, data(rr))
		if err == nil && rtype != TypeCAA && !(expectation{record: again}).among(m.Answer) {
			t.Errorf("%s %q printed as %q is another", rtype, written, data(rr))
		}
	})
}

// FuzzMessage takes apart whatever comes as the answer to a question.
func FuzzMessage(f *testing.F) {
	s := session{asked: question("example.net", TypeA), rec: new(checks.Recorder)}
	s.sent = s.message()
	packed, err := s.sent.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed[2:])
	m := new(dns.Msg).SetReply(&s.sent)
	m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "example.net.", Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IP{192, 0, 2, 1}}}
	if packed, err = m.Pack(); err != nil {
		f.Fatal(err)
	}
	f.Add(packed[2:])
	f.Fuzz(func(t *testing.T, said []byte) {
		raw := append([]byte{byte(s.sent.Id >> 8), byte(s.sent.Id)}, said...)
		started := time.Now()
		m, err := s.read(raw)
		if (m == nil) == (err == nil) {
			t.Fatalf("got %v and %v", m, err)
		}
		if err != nil {
			return
		}
		records := found(m, s.asked)
		if n := len(m.Answer) + len(m.Ns) + len(m.Extra); n > recordsMax && !m.Truncated || len(records) > recordsMax {
			t.Errorf("%d records, of which %d answer, expected at most %d", n, len(records), recordsMax)
		}
		_, _ = s.judge(m, nil), recordsOf(records)
		if d := time.Since(started); d > time.Second {
			t.Errorf("took %s", d)
		}
	})
}

func recordsOf(rrs []dns.RR) []Record {
	var all []Record
	for _, rr := range rrs {
		all = append(all, recordOf(rr))
	}
	return all
}
