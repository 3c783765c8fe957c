package dns

import (
	"context"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"varde/checks"
)

// Answer is what the machine's own resolver says of one name and type.
type Answer struct {
	// Records are those of the type asked for, at the end of any aliases. None
	// says that there are none: no such name, or nothing of that type there.
	Records []Record
	// Authenticated says that the resolver has verified the answer with DNSSEC
	// (the AD bit, RFC 4035 3.2.3). It is worth as much as the way to the
	// resolver: everything on this machine, little beyond its own network.
	Authenticated bool
}

// Record is the data of one record.
type Record struct {
	// Data is its presentation form, "10 mx.example.net.".
	Data string
	// Fields are its parts in order: "10" and "mx.example.net." of an MX; usage,
	// selector, matching type and data in lower-case hex of a TLSA. A TXT has one,
	// its strings joined and without quotes.
	Fields []string
}

// Lookup asks the machine's own resolver. One that stays silent or fails is
// followed by the first of the other family, if there is one; each has
// checks.DefaultTimeout. The error is a *checks.Failure and says that there is
// no answer, not even that there is nothing.
func Lookup(ctx context.Context, network checks.Network, name string, t Type) (Answer, error) {
	if !validName(name) || !slices.Contains(Types(), t) {
		return Answer{}, checks.Fail(checks.OwnError, "%s of %q cannot be asked for", t, name)
	}
	q := question(name, t)
	err := checks.Fail(checks.OwnError, "this machine has no name server")
	for _, family := range families(network) {
		var answer Answer
		r := checks.Record(ctx, checks.DefaultTimeout, func(ctx context.Context, rec *checks.Recorder) error {
			s := session{rec: rec, network: network, family: family, asked: q}
			return s.ask(ctx, func(m *dns.Msg) error {
				if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
					return s.refused(m)
				}
				for _, rr := range found(m, q) {
					answer.Records = append(answer.Records, recordOf(rr))
				}
				answer.Authenticated = m.AuthenticatedData
				return nil
			})
		})
		if r.Class == "" {
			return answer, nil
		}
		err = &checks.Failure{Phase: r.FailedPhase, Class: r.Class, Detail: r.Detail}
	}
	return Answer{}, err
}

// families are those of the machine's name servers, in their order.
func families(network checks.Network) []checks.Family {
	var all []checks.Family
	for _, at := range network.NameServers() {
		f := checks.IPv6
		if at.Addr().Is4() {
			f = checks.IPv4
		}
		if !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	return all
}

func recordOf(rr dns.RR) Record {
	r := Record{Data: data(rr)}
	if txt, ok := rr.(*dns.TXT); ok {
		r.Fields = []string{text(txt.Txt)}
		return r
	}
	for i := range dns.NumField(rr) {
		r.Fields = append(r.Fields, dns.Field(rr, i+1))
	}
	return r
}

// text joins the strings of a TXT and takes the escapes of the presentation form
// out of them.
func text(parts []string) string {
	escaped := strings.Join(parts, "")
	out := make([]byte, 0, len(escaped))
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		switch rest := escaped[i+1:]; {
		case c != '\\' || rest == "":
		case len(rest) >= 3 && isDigit(rest[0]) && isDigit(rest[1]) && isDigit(rest[2]):
			c = (rest[0]-'0')*100 + (rest[1]-'0')*10 + rest[2] - '0'
			i += 3
		default:
			c = rest[0]
			i++
		}
		out = append(out, c)
	}
	return string(out)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
