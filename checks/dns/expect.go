package dns

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

const (
	// answersMax is how many answers may be expected: no more are looked at.
	answersMax = recordsMax
	// answerMax bounds one of them, in bytes.
	answerMax = 2048
	// stringMax is the longest string of a TXT, RFC 1035 3.3.
	stringMax = 255
)

// expectation is one record that must be in an answer.
type expectation struct {
	written string
	record  dns.RR // of the root, as it comes from the wire
}

// among says whether one of the records has the data expected. Names are equal
// in any case, and texts however they are cut into strings.
func (e expectation) among(records []dns.RR) bool {
	return slices.ContainsFunc(records, func(rr dns.RR) bool {
		want, ok := e.record.(*dns.TXT)
		got, ok2 := rr.(*dns.TXT)
		if ok && ok2 {
			return strings.Join(got.Txt, "") == strings.Join(want.Txt, "")
		}
		rr = dns.Copy(rr)
		rr.Header().Name = "."
		return dns.IsDuplicate(rr, e.record)
	})
}

// expectations reads what is expected of each type. Where two types are asked
// for, an address is expected of its own. The error is a *checks.FieldError.
func expectations(types []Type, answers []string) (map[Type][]expectation, error) {
	if len(answers) > answersMax {
		return nil, fault("expect.answers", "%d answers, expected at most %d", len(answers), answersMax)
	}
	all := make(map[Type][]expectation)
	for _, written := range answers {
		t := types[0]
		if a, err := netip.ParseAddr(written); len(types) > 1 && err == nil && a.Is6() {
			t = TypeAAAA
		}
		record, err := parse(t, written)
		if err != nil {
			return nil, fault("expect.answers", "%.128q, expected the data of a record of type %s such as %s", written, t, example(t))
		}
		all[t] = append(all[t], expectation{written, record})
	}
	return all, nil
}

// parse reads the data of a record in presentation form, and through the form of
// the wire, so that what can be written in several ways is equal. A text may
// stand without quotes: it is then taken as it is.
func parse(t Type, written string) (rr dns.RR, err error) {
	if written == "" || len(written) > answerMax || strings.ContainsAny(written, "\r\n") {
		return nil, fmt.Errorf("%d bytes long, expected 1 to %d on one line", len(written), answerMax)
	}
	if t == TypeTXT && !strings.HasPrefix(written, `"`) {
		rr = plain(written)
	} else if rr, err = dns.NewRR(". 0 IN " + string(t) + " " + written); err != nil {
		return nil, err
	}
	if rr == nil || rr.Header().Rrtype != t.code() {
		return nil, fmt.Errorf("no record")
	}
	wire := make([]byte, dns.Len(rr)+len(written))
	n, err := dns.PackRR(rr, wire, 0, nil, false)
	if err != nil {
		return nil, err
	}
	rr, _, err = dns.UnpackRR(wire[:n], 0)
	return rr, err
}

// plain is a text as a record.
func plain(s string) dns.RR {
	rr := &dns.TXT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeTXT, Class: dns.ClassINET}}
	for part := range slices.Chunk([]byte(s), stringMax) {
		rr.Txt = append(rr.Txt, strings.ReplaceAll(string(part), `\`, `\\`))
	}
	return rr
}

// example is data of a type as people may write it.
func example(t Type) string {
	switch t {
	case TypeA:
		return "192.0.2.1"
	case TypeAAAA:
		return "2001:db8::1"
	case TypeCAA:
		return `0 issue "example.org"`
	case TypeMX:
		return "10 mx.example.net."
	case TypeSOA:
		return "ns1.example.net. hostmaster.example.net. 1 7200 3600 1209600 300"
	case TypeSRV:
		return "0 1 993 imap.example.net."
	case TypeTLSA:
		return "3 1 1 " + strings.Repeat("00", sha256.Size)
	case TypeTXT:
		return "v=spf1 -all"
	}
	return "host.example.net."
}
