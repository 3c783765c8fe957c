package dns

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"varde/checks"
)

// Type is what is asked for of a name.
type Type string

// The types.
const (
	TypeA     Type = "A"
	TypeAAAA  Type = "AAAA"
	TypeCAA   Type = "CAA"
	TypeCNAME Type = "CNAME"
	TypeMX    Type = "MX"
	TypeNS    Type = "NS"
	TypeSOA   Type = "SOA"
	TypeSRV   Type = "SRV"
	TypeTLSA  Type = "TLSA"
	TypeTXT   Type = "TXT"
)

// Types returns every type.
func Types() []Type {
	return []Type{TypeA, TypeAAAA, TypeCAA, TypeCNAME, TypeMX, TypeNS, TypeSOA, TypeSRV, TypeTLSA, TypeTXT}
}

// query is what a target asks, and whom.
type query struct {
	server checks.Endpoint // without a host for the machine's own
	name   string
	rtype  Type // empty for the addresses of the attempt's family
	stream bool // over TCP from the start
}

func (q query) own() bool { return q.server.Host == "" }

// types are those that attempts over the two families ask for.
func (q query) types() []Type {
	if q.rtype != "" {
		return []Type{q.rtype}
	}
	return []Type{TypeA, TypeAAAA}
}

// asks is the type that an attempt over one family asks for.
func (q query) asks(f checks.Family) Type {
	switch {
	case q.rtype != "":
		return q.rtype
	case f == checks.IPv6:
		return TypeAAAA
	}
	return TypeA
}

// readURL reads a target's URL. The error is a *checks.FieldError for "url".
func readURL(t checks.Target) (query, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return query{}, fault("url", "%q, expected dns://server/name or dns:///name", t.URL)
	}
	q, err := readServer(t, u)
	if err != nil {
		return query{}, err
	}
	if !validName(q.name) {
		return query{}, fault("url", "name %q, expected one in ASCII: dns://server/name or dns:///name", q.name)
	}
	if u.Fragment != "" {
		return query{}, fault("url", "fragment %q, expected none", u.Fragment)
	}
	return q, q.readParameters(u.RawQuery)
}

// readServer tells the server from the name.
func readServer(t checks.Target, u *url.URL) (q query, err error) {
	name, asked := strings.CutPrefix(u.Path, "/")
	switch {
	case u.Host != "" && asked:
		q.server, err = t.Endpoint(Schemes())
		q.name = name
		return q, err
	case u.Scheme != "dns":
		return q, fault("url", "scheme %q, expected dns", u.Scheme)
	case asked:
		q.name = name
		return q, nil
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil || u.Port() != "" {
		return q, fault("url", "%q, expected the name to ask for behind the server: dns://%s/example.net", t.URL, u.Host)
	}
	q.name = u.Host
	return q, nil
}

// readParameters reads what stands behind the name, "type=MX" and the like; RFC
// 4501 parts them with semicolons.
func (q *query) readParameters(raw string) error {
	seen := map[string]bool{}
	for part := range strings.FieldsFuncSeq(raw, func(r rune) bool { return r == '&' || r == ';' }) {
		key, value, _ := strings.Cut(part, "=")
		key, value = strings.ToLower(key), strings.ToUpper(value)
		if seen[key] {
			return fault("url", "%s twice, expected it once", key)
		}
		seen[key] = true
		switch {
		case key == "type" && slices.Contains(Types(), Type(value)):
			q.rtype = Type(value)
		case key == "type":
			return fault("url", "type %q, expected one of %v", value, Types())
		case key == "transport" && value == "TCP":
			q.stream = true
		case key == "class" && value == "IN":
		default:
			return fault("url", "%q, expected type=TYPE or transport=tcp", part)
		}
	}
	return nil
}

// validName says whether a name may be asked for: letters, digits, hyphens, the
// underscore and the asterisk of zones, in labels of RFC 1035 2.3.4. The root is
// a single dot.
func validName(s string) bool {
	_, ok := dns.IsDomainName(s)
	return s != "" && ok && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._*", r)
	})
}

// question is a name and a type as they are sent.
func question(name string, t Type) dns.Question {
	return dns.Question{Name: dns.Fqdn(name), Qtype: t.code(), Qclass: dns.ClassINET}
}

func (t Type) code() uint16 { return dns.StringToType[string(t)] }
