package discovery

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"varde/checks"
)

const (
	// fetchLimit is the longest that a document may take over one family.
	fetchLimit = 10 * time.Second
	// documentMax and headerMax are the most of it that is read, in bytes.
	documentMax = 64 << 10
	headerMax   = 64 << 10
)

// fetch returns the document at an https URL, nil when there is none. It follows
// no redirect and, as every attempt, no name to an address that is not public.
func (s *search) fetch(ctx context.Context, raw string) ([]byte, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	f := &fetching{search: s, url: u}
	var failed checks.Result
	for _, family := range s.presence(ctx, u.Hostname()).families {
		f.status = 0
		failed = checks.Record(ctx, fetchLimit, func(ctx context.Context, r *checks.Recorder) error {
			return f.run(ctx, r, family)
		})
		if failed.Outcome == checks.Up {
			return f.document, nil
		}
		if f.status != 0 { // an answer that the other family would repeat
			break
		}
	}
	if failed.Class == "" || f.status == http.StatusNotFound || f.status == http.StatusGone {
		return nil, nil
	}
	return nil, errors.New(blame(failed))
}

// fetching is one document on its way.
type fetching struct {
	*search
	url      *url.URL
	status   int
	document []byte
}

func (f *fetching) run(ctx context.Context, r *checks.Recorder, family checks.Family) error {
	at := checks.Endpoint{Scheme: "https", Host: f.url.Hostname(), Port: 443, URL: f.url}
	if err := r.Dial(ctx, f.Network, family, at); err != nil {
		return err
	}
	if err := r.Handshake(ctx, &tls.Config{ServerName: at.Host, RootCAs: f.Roots}); err != nil {
		return err
	}
	return r.Phase(ctx, checks.Request, checks.CommandLimit, func(ctx context.Context) error {
		return f.exchange(ctx, r.Conn())
	})
}

// exchange asks over HTTP/1.1 and reads the answer to its end or its limit. The
// body is not closed: that would read what is left of it, and the recorder
// closes the connection.
func (f *fetching) exchange(ctx context.Context, conn net.Conn) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url.String(), http.NoBody)
	if err != nil {
		return err
	}
	request.Close = true
	request.Header.Set("User-Agent", "varde-coordinator")
	if err := request.Write(conn); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, headerMax+documentMax)), request)
	if err != nil {
		return err
	}
	if f.status = answer.StatusCode; f.status != http.StatusOK {
		words := strings.TrimSpace(http.StatusText(f.status))
		return checks.Fail(checks.HTTPStatus, "%d %s, expected 200", f.status, words)
	}
	f.document, err = io.ReadAll(io.LimitReader(answer.Body, documentMax+1))
	if err == nil && len(f.document) > documentMax {
		return checks.Fail(checks.ProtocolError, "more than %d bytes", documentMax)
	}
	return err
}

// blame says of a result why it is not up.
func blame(r checks.Result) string {
	if r.Detail == "" {
		return string(r.Class)
	}
	return string(r.Class) + " (" + r.Detail + ")"
}
