// Package mailpolicy compares what a domain publishes about its mail with what
// one of its mail exchangers shows: the MX records (RFC 5321), the MTA-STS policy
// (RFC 8461) and the TLSA records of DANE (RFC 7672). Senders that go by them
// keep back mail for a server that does not fit, while everybody else finds it up.
//
// What comes of it are findings about the configuration, never an outcome. Only
// what is published and broken is found: a domain without MTA-STS or DANE has
// decided so. What cannot be looked at now is an error and no finding.
package mailpolicy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/checks/dns"
	"varde/checks/smtp"
)

// The codes of findings.
const (
	// MXMissing: the domain's MX records do not name the server.
	MXMissing = "mx_missing"
	// STSRecord: the record that announces a policy is broken.
	STSRecord = "mta_sts_record"
	// STSUnreachable: a policy is announced and cannot be fetched.
	STSUnreachable = "mta_sts_policy_unreachable"
	// STSInvalid: what was fetched is not a policy.
	STSInvalid = "mta_sts_policy_invalid"
	// STSMismatch: the policy does not allow the server.
	STSMismatch = "mta_sts_mx_mismatch"
	// STSCertificate: the server's certificate is not what the policy demands.
	STSCertificate = "mta_sts_certificate"
	// DANELookup: whether there are TLSA records cannot be found out.
	DANELookup = "dane_lookup"
	// DANEUnauthenticated: there are TLSA records, and they are not known to be
	// signed.
	DANEUnauthenticated = "dane_unauthenticated"
	// DANEUnusable: there are TLSA records and none that senders may use.
	DANEUnusable = "dane_unusable"
	// DANEMismatch: no TLSA record fits the server's certificate.
	DANEMismatch = "dane_mismatch"
)

// limit is how long one look may take.
const limit = 20 * time.Second

// Server is one mail exchanger and the domain whose mail it takes. It is
// immutable.
type Server struct {
	domain, host string
	env          checks.Env
	smtp         *smtp.Check
}

// New returns the server of a target of kind smtp that has a domain. Its login
// and its envelope are not used, and its certificate is verified as senders do,
// with the authorities of env. The error is a *checks.FieldError, or several
// joined.
func New(t checks.Target, env checks.Env) (*Server, error) {
	t.Login, t.CA, t.From, t.To = nil, nil, "", ""
	c, err := smtp.New(t, env)
	e, endpointErr := t.Endpoint(smtp.Schemes())
	if err := errors.Join(err, endpointErr); err != nil {
		return nil, err
	}
	if t.Domain == "" {
		return nil, &checks.FieldError{Field: "domain", Problem: "not given, expected whose mail the server takes"}
	}
	return &Server{domain: canonical(t.Domain), host: canonical(e.Host), env: env, smtp: c}, nil
}

// Look asks for everything once, within 20 s. No findings say that all is well;
// with an error they are not complete, and what an earlier look found still
// stands.
func (s *Server) Look(ctx context.Context) ([]checks.Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	l := &look{Server: s}
	l.control(ctx)
	for _, step := range []func(context.Context) error{l.exchangers, l.mtaSTS, l.dane} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("look at what %s publishes: %w", s.domain, err)
		}
	}
	return l.findings, nil
}

// look is one look under way.
type look struct {
	*Server
	findings []checks.Finding
	// answers says that the machine's resolver is at work, verifies that it
	// verifies.
	answers, verifies bool
	// listed says that the server is one of the domain's, signed that the
	// record that says so is.
	listed, signed bool
	shown          *presented
}

func (l *look) found(code, format string, args ...any) {
	l.findings = append(l.findings, checks.Found(code, format, args...))
}

// foundBroken is found for words, if there are any.
func (l *look) foundBroken(code, words string) {
	if words != "" {
		l.found(code, "%s", words)
	}
}

// control asks for what the root of the DNS has for sure, and has signed: what
// the resolver cannot say of others is then their fault.
func (l *look) control(ctx context.Context) {
	root, err := dns.Lookup(ctx, l.env.Network, ".", dns.TypeSOA)
	l.answers, l.verifies = err == nil, err == nil && root.Authenticated
}

// records asks for the records of a name. Broken are the words of an answer that
// is an error, with which senders fare no better; an error is no answer.
func (l *look) records(ctx context.Context, name string, t dns.Type) (a dns.Answer, broken string, err error) {
	a, err = dns.Lookup(ctx, l.env.Network, name, t)
	failed, isFailure := errors.AsType[*checks.Failure](err)
	switch {
	case err == nil:
		return a, "", nil
	case isFailure && failed.Class == checks.DNSError && l.answers:
		return a, fmt.Sprintf("%s of %s: %s, expected records or the answer that there are none", t, name, failed.Detail), nil
	}
	return a, "", fmt.Errorf("%s of %s: %w", t, name, err)
}

// exchangers looks for the server among those of the domain. A domain without MX
// records takes its own mail (RFC 5321 section 5.1).
func (l *look) exchangers(ctx context.Context) error {
	a, broken, err := l.records(ctx, l.domain, dns.TypeMX)
	if err != nil || broken != "" {
		l.foundBroken(MXMissing, broken)
		return err
	}
	hosts := []string{l.domain}
	if len(a.Records) > 0 {
		hosts = nil
		for _, r := range a.Records {
			hosts = append(hosts, canonical(r.Fields[1]))
		}
	}
	l.listed, l.signed = slices.Contains(hosts, l.host), a.Authenticated
	if !l.listed {
		l.found(MXMissing, "mail for %s goes to %.128s, expected %s among them", l.domain, strings.Join(hosts, ", "), l.host)
	}
	return nil
}

// canonical is a name as it is compared.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// either asks over IPv4, and over IPv6 where that has not led to an answer: what
// one family lacks is the business of checks.
func either(ask func(checks.Family) checks.Result) checks.Result {
	first := ask(checks.IPv4)
	if first.Outcome == checks.Up {
		return first
	}
	second := ask(checks.IPv6)
	if second.Outcome == checks.Up || first.FailedPhase == checks.Resolve || first.Class == checks.Unreachable {
		return second
	}
	return first
}

// words say why an answer did not come.
func words(r checks.Result) string { return fmt.Sprintf("%s (%s)", r.Detail, r.Class) }
