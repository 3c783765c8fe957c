package mailpolicy

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"varde/checks"
	"varde/checks/dns"
)

const (
	// policyMax is the longest policy, in bytes (RFC 8461 section 3.2).
	policyMax = 64 << 10
	// answerMax is the most that is taken of an answer, its header included.
	answerMax = 2 * policyMax
	// httpsPort is where a policy is.
	httpsPort = 443
)

// mtaSTS fetches the policy that is announced and holds the server to it.
func (l *look) mtaSTS(ctx context.Context) error {
	a, broken, err := l.records(ctx, "_mta-sts."+l.domain, dns.TypeTXT)
	if err != nil || broken != "" {
		l.foundBroken(STSRecord, broken)
		return err
	}
	var texts []string
	for _, r := range a.Records {
		texts = append(texts, r.Fields[0])
	}
	is, err := announced(texts)
	if err != nil {
		l.found(STSRecord, "TXT of _mta-sts.%s: %v", l.domain, err)
	}
	if !is || err != nil {
		return nil
	}
	p, err := l.policy(ctx)
	if err != nil || !p.demands() || !l.listed {
		return err
	}
	if !p.allows(l.host) {
		l.found(STSMismatch, "the policy of %s (mode %s) allows mx %.128q, expected %s among them", l.domain, p.mode, strings.Join(p.patterns, " "), l.host)
	}
	return l.believed(ctx, p)
}

// policy fetches and reads the policy; one that demands nothing where there is
// none.
func (l *look) policy(ctx context.Context) (policy, error) {
	host := "mta-sts." + l.domain
	var body string
	r := either(func(f checks.Family) (r checks.Result) {
		body, r = l.fetch(ctx, host, f)
		return r
	})
	switch {
	case r.Class == checks.BodyMismatch:
		l.found(STSInvalid, "https://%s%s: %s", host, policyPath, r.Detail)
		return policy{}, nil
	case r.Outcome == checks.Down && r.Class != checks.Unreachable:
		l.found(STSUnreachable, "https://%s%s: %s", host, policyPath, words(r))
		return policy{}, nil
	case r.Outcome != checks.Up:
		return policy{}, fmt.Errorf("policy at %s: %s", host, words(r))
	}
	p, err := readPolicy(body)
	if err != nil {
		l.found(STSInvalid, "https://%s%s: %v", host, policyPath, err)
		return policy{}, nil
	}
	return p, nil
}

const policyPath = "/.well-known/mta-sts.txt"

// fetch gets the policy over one family. It follows no redirect and wants a
// certificate for the very host (RFC 8461 section 3.3).
func (l *look) fetch(ctx context.Context, host string, f checks.Family) (body string, r checks.Result) {
	r = checks.Record(ctx, checks.DefaultTimeout, func(ctx context.Context, r *checks.Recorder) error {
		if err := r.Dial(ctx, l.env.Network, f, checks.Endpoint{Host: host, Port: httpsPort}); err != nil {
			return err
		}
		trust := checks.Trust{Name: host, Roots: l.env.Roots, Chains: l.env.Chains}
		if err := r.Secure(ctx, trust); err != nil {
			return err
		}
		return r.Phase(ctx, checks.Request, checks.CommandLimit, func(context.Context) (err error) {
			body, err = get(r, host)
			return err
		})
	})
	return body, r
}

// get is one request and its answer. What is an answer and no policy has class
// body_mismatch.
func get(r *checks.Recorder, host string) (string, error) {
	request, err := http.NewRequest(http.MethodGet, "https://"+host+policyPath, http.NoBody)
	if err != nil {
		return "", checks.Fail(checks.OwnError, "make a request: %v", err)
	}
	request.Header.Set("User-Agent", "varde-probe")
	request.Close = true
	if err := request.Write(r.Conn()); err != nil {
		return "", err
	}
	taken := &io.LimitedReader{R: r.Conn(), N: answerMax}
	answer, err := http.ReadResponse(bufio.NewReader(taken), request)
	switch {
	case err != nil && taken.N <= 0:
		return "", checks.Fail(checks.ProtocolError, "a header of more than %d kB", answerMax>>10)
	case err != nil:
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", checks.Fail(checks.HTTPStatus, "status %d, expected 200 and no redirect", answer.StatusCode)
	}
	header := answer.Header.Get("Content-Type")
	if media, _, err := mime.ParseMediaType(header); err != nil || media != "text/plain" {
		return "", checks.Fail(checks.BodyMismatch, "Content-Type %.64q, expected text/plain", header)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, policyMax+1))
	if len(body) > policyMax {
		return "", checks.Fail(checks.BodyMismatch, "more than %d kB, expected a policy", policyMax>>10)
	}
	return string(body), err
}

// believed holds the server's certificate to the policy: STARTTLS, and a chain
// that leads from an authority to the server's name (RFC 8461 section 4.2).
func (l *look) believed(ctx context.Context, p policy) error {
	chain, err := l.certificates(ctx)
	if err != nil {
		return err
	}
	if len(chain) == 0 {
		l.found(STSCertificate, "%s does not offer STARTTLS, expected it by the policy of %s (mode %s)", l.host, l.domain, p.mode)
		return nil
	}
	if err := chain.verify(l.env.Roots, l.host); err != nil {
		l.found(STSCertificate, "%s: %s, expected a certificate for it by the policy of %s (mode %s)", l.host, plain(err), l.domain, p.mode)
	}
	return nil
}

// plain is what is wrong with a certificate.
func plain(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "signed by an authority that is not trusted here"
	}
	return strings.TrimPrefix(err.Error(), "x509: ")
}
