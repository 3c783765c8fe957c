package https

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"varde/checks"
)

const (
	version1 = "1.1"
	version2 = "2"
	// headerMax is the most header that an answer may have, in bytes.
	headerMax = 64 << 10
)

// protocols are what is offered in the handshake.
func protocols(version string) []string {
	switch version {
	case version1:
		return []string{"http/1.1"}
	case version2:
		return []string{"h2"}
	}
	return []string{"h2", "http/1.1"}
}

// Attempt asks once, over one family.
func (c *Check) Attempt(ctx context.Context, family checks.Family) checks.Result {
	return checks.Record(ctx, c.timeout, func(ctx context.Context, r *checks.Recorder) error {
		r.Hide(c.secrets...)
		v := &visit{check: c, rec: r, family: family, at: c.endpoint, method: c.method}
		if err := r.Dial(ctx, c.network, family, c.endpoint); err != nil {
			return err
		}
		return v.run(ctx)
	})
}

// A talk is HTTP of one version over one connection.
type talk interface {
	// send sends a request; it lives as long as ctx, and within is its phase.
	send(ctx, within context.Context, request *http.Request) error
	// head waits for the answer's header.
	head(within context.Context) (*http.Response, error)
	// next ends an answer and says whether another request can follow it.
	next(answer *http.Response) (bool, error)
	// explain gives the talk's own errors the words of the house.
	explain(err error) error
}

// visit is one attempt under way: one request, or several where redirects are
// followed.
type visit struct {
	check  *Check
	rec    *checks.Recorder
	family checks.Family
	talk   talk

	at     checks.Endpoint
	method string
	past   []*url.URL // that led here
	answer *http.Response
	to     *checks.Endpoint // where the answer leads; nil if it is the last
}

func (v *visit) run(ctx context.Context) error {
	if err := v.open(ctx); err != nil {
		return err
	}
	for {
		if err := v.ask(ctx); err != nil {
			return err
		}
		if v.to == nil {
			return v.rec.Phase(ctx, checks.Body, checks.CommandLimit, func(context.Context) error {
				return v.explain(v.check.want.in(io.LimitReader(v.answer.Body, v.check.maxBody)))
			})
		}
		if err := v.follow(ctx); err != nil {
			return err
		}
	}
}

// open begins to talk on the connection there is.
func (v *visit) open(ctx context.Context) error {
	if v.at.Scheme != "https" {
		v.talk = newHTTP1(v.rec.Conn())
		return nil
	}
	if err := v.rec.Secure(ctx, v.check.trust); err != nil {
		return err
	}
	switch {
	case agreed(v.rec.Conn()) == "h2":
		v.talk = newHTTP2(v)
	case v.check.version == version2: // some servers say so by an alert, the others by nothing
		return v.rec.Phase(ctx, checks.TLS, checks.CommandLimit, func(context.Context) error {
			return checks.Fail(checks.TLSError, "the server does not offer HTTP/2")
		})
	default:
		v.talk = newHTTP1(v.rec.Conn())
	}
	return nil
}

// ask sends one request and judges the header of its answer.
func (v *visit) ask(ctx context.Context) error {
	request := v.check.request(ctx, v.method, v.at.URL)
	request.Close = len(v.past) == v.check.redirects
	if err := v.rec.Phase(ctx, checks.Request, checks.CommandLimit, func(within context.Context) error {
		return v.explain(v.talk.send(ctx, within, request))
	}); err != nil {
		return err
	}
	return v.rec.Phase(ctx, checks.FirstByte, checks.FirstByteLimit, func(within context.Context) error {
		answer, err := v.talk.head(within)
		if err != nil {
			return v.explain(err)
		}
		v.answer = answer
		v.rec.Present(func(p *checks.Presented) {
			p.Protocol = answer.Proto
			p.Replies = append(p.Replies, answer.Status)
		})
		return v.judge()
	})
}

// judge looks at the status.
func (v *visit) judge() error {
	got, want := v.answer.StatusCode, cmp.Or(v.check.status, "200")
	v.to = nil
	if want.Contain(got) {
		return nil
	}
	words := strings.TrimSpace(fmt.Sprintf("%d %s", got, http.StatusText(got)))
	switch {
	case leads(v.answer):
		where, why := v.lead()
		if why != "" || v.to == nil {
			return checks.Fail(checks.HTTPStatus, "%s to %s%s, expected %s", words, where, why, want)
		}
		return nil
	case got == http.StatusTooManyRequests:
		return checks.Fail(checks.Policy, "%s, expected %s", words, want)
	// With credentials both mean that they are not good enough, RFC 9110 15.5.
	case (got == http.StatusUnauthorized || got == http.StatusForbidden) && v.check.secrets != nil:
		return checks.Fail(checks.AuthRejected, "%s, expected %s", words, want)
	}
	return checks.Fail(checks.HTTPStatus, "%s, expected %s", words, want)
}

// explain gives errors the words of the house; the recorder knows all others.
func (v *visit) explain(err error) error {
	if err == nil {
		return nil
	}
	return v.check.trust.Refusal(v.talk.explain(err))
}
