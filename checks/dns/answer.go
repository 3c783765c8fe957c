package dns

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"varde/checks"
)

// judge says whether an answer is the one expected.
func (s *session) judge(m *dns.Msg, expected []expectation) error {
	if m.Rcode != dns.RcodeSuccess {
		return s.refused(m)
	}
	records := found(m, s.asked)
	if away := s.leadsAway(m); away != "" && len(records)+len(expected) == 0 {
		s.rec.Note("an alias for %s, which others serve", shown(away))
		return nil
	}
	if len(records) == 0 {
		return checks.Fail(checks.DNSError, "%s", s.nothing(m))
	}
	for _, e := range expected {
		if !e.among(records) {
			return checks.Fail(checks.BodyMismatch, "the answer is %s, expected %s in it", listed(records), e.written)
		}
	}
	return nil
}

// refused is what an answer that is an error means.
func (s *session) refused(m *dns.Msg) error {
	code := codeName(m.Rcode)
	if why := explanation(m); why != "" {
		code += ": " + why
	}
	name := shown(s.asked.Name)
	switch {
	case m.Rcode == dns.RcodeNameError:
		return checks.Fail(checks.DNSError, "%s does not exist (%s)", name, code)
	case m.Rcode == dns.RcodeRefused && s.server.Host == "":
		return checks.Fail(checks.OwnError, "this machine's name server refuses us: %s", code)
	case m.Rcode == dns.RcodeRefused:
		return checks.Fail(checks.Policy, "the server refuses us: %s", code)
	}
	return checks.Fail(checks.DNSError, "%s for %s", code, name)
}

func codeName(rcode int) string {
	if rcode == dns.RcodeBadVers { // it shares its number with a code of signed transactions
		return "BADVERS"
	}
	if name, ok := dns.RcodeToString[rcode]; ok {
		return name
	}
	return fmt.Sprintf("RCODE%d", rcode)
}

// explanation is what a server adds to an error, RFC 8914.
func explanation(m *dns.Msg) string {
	opt := m.IsEdns0()
	if opt == nil {
		return ""
	}
	for _, o := range opt.Option {
		if e, ok := o.(*dns.EDNS0_EDE); ok {
			return strings.TrimPrefix(strings.Trim(dns.ExtendedErrorCodeToString[e.InfoCode]+", "+e.ExtraText, ", "), "Other, ")
		}
	}
	return ""
}

// nothing says how an answer is empty: a server that knows only who else to ask
// does not serve the zone.
func (s *session) nothing(m *dns.Msg) string {
	for _, rr := range m.Ns {
		if ns, ok := rr.(*dns.NS); ok && !m.Authoritative {
			return fmt.Sprintf("no answer for %s, only a referral to %s", shown(s.asked.Name), shown(ns.Ns))
		}
	}
	return fmt.Sprintf("%s has no %s record", shown(s.asked.Name), dns.TypeToString[s.asked.Qtype])
}

func shown(name string) string {
	if name == "." {
		return "the root"
	}
	return strings.TrimSuffix(name, ".")
}

// found returns the records that answer a question: those of its type at its
// name, or at the end of the aliases that lead from there. Others say nothing.
func found(m *dns.Msg, q dns.Question) []dns.RR {
	owners := aliases(m, q.Name)
	var all []dns.RR
	for _, rr := range m.Answer {
		h := rr.Header()
		if h.Rrtype == q.Qtype && h.Class == q.Qclass && slices.Contains(owners, dns.CanonicalName(h.Name)) {
			all = append(all, rr)
		}
	}
	return all
}

// aliases are a name and what it stands for, one after the other.
func aliases(m *dns.Msg, name string) []string {
	all := []string{dns.CanonicalName(name)}
	for i := 0; i < len(all); i++ {
		for _, rr := range m.Answer {
			alias, ok := rr.(*dns.CNAME)
			if !ok || dns.CanonicalName(alias.Hdr.Name) != all[i] {
				continue
			}
			if target := dns.CanonicalName(alias.Target); !slices.Contains(all, target) {
				all = append(all, target)
			}
		}
	}
	return all
}

// leadsAway is the name for which an answer, whole and with authority, is an
// alias, when the server does not serve it; empty if the answer is none of that.
// One that serves the name says who is the authority for that it has nothing
// there (RFC 2308 section 2.2), and a resolver has gone to the end.
func (s *session) leadsAway(m *dns.Msg) string {
	names := aliases(m, s.asked.Name)
	isSOA := func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA }
	if !m.Authoritative || m.RecursionAvailable || len(names) == 1 || len(m.Answer) != len(names)-1 || slices.ContainsFunc(m.Ns, isSOA) {
		return ""
	}
	return names[len(names)-1]
}

// data is the presentation form of a record's data.
func data(rr dns.RR) string { return strings.TrimPrefix(rr.String(), rr.Header().String()) }

func listed(records []dns.RR) string {
	all := make([]string, len(records))
	for i, rr := range records {
		all[i] = data(rr)
	}
	return strings.Join(all, ", ")
}

// present keeps what the server showed: a line for each answer and its flags,
// and every record, with its type where that is not the one asked for.
func (s *session) present(m *dns.Msg) {
	reply := codeName(m.Rcode)
	for _, flag := range []struct {
		name string
		set  bool
	}{
		{"aa", m.Authoritative}, {"tc", m.Truncated}, {"ra", m.RecursionAvailable}, {"ad", m.AuthenticatedData},
	} {
		if flag.set {
			reply += " " + flag.name
		}
	}
	s.show("%s", reply)
	s.rec.Present(func(p *checks.Presented) {
		for _, rr := range m.Answer {
			words := data(rr)
			if t := rr.Header().Rrtype; t != s.asked.Qtype {
				words = dns.Type(t).String() + " " + words
			}
			p.Answers = append(p.Answers, words)
		}
	})
}

// show keeps a line of what came.
func (s *session) show(format string, args ...any) {
	s.rec.Present(func(p *checks.Presented) { p.Replies = append(p.Replies, fmt.Sprintf(format, args...)) })
}
