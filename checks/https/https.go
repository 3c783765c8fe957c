package https

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"

	"varde/checks"
)

const (
	// headerMax is the most header that an answer may have, in bytes.
	headerMax = 64 << 10
	// bodyMax is how much of a body is looked at, in bytes.
	bodyMax = 64 << 10
)

// Attempt asks once, over one family.
func (c *Check) Attempt(ctx context.Context, family checks.Family) checks.Result {
	return checks.Record(ctx, c.timeout, func(ctx context.Context, r *checks.Recorder) error {
		if err := r.Dial(ctx, c.network, family, c.endpoint); err != nil {
			return err
		}
		if c.endpoint.Scheme == "https" {
			if err := r.Handshake(ctx, c.tls); err != nil {
				return err
			}
		}
		x := &exchange{check: c, rec: r, wrote: make(chan struct{}), done: make(chan struct{})}
		r.BeforeClose(x.close)
		return x.run(ctx)
	})
}

// exchange is one request and its answer.
type exchange struct {
	check  *Check
	rec    *checks.Recorder
	client *http.ClientConn
	wrote  chan struct{} // closed when the request is sent
	once   sync.Once

	done     chan struct{} // closed when the two below are set
	response *http.Response
	err      error
}

func (x *exchange) run(ctx context.Context) error {
	if err := x.rec.Phase(ctx, checks.Request, checks.CommandLimit, func(within context.Context) error {
		return x.send(ctx, within)
	}); err != nil {
		return err
	}
	if err := x.rec.Phase(ctx, checks.FirstByte, checks.FirstByteLimit, x.head); err != nil {
		return err
	}
	return x.rec.Phase(ctx, checks.Body, checks.CommandLimit, func(context.Context) error {
		return x.explain(x.look())
	})
}

// send starts the round trip and waits until the request is written, or
// answered before that. The request lives as long as ctx; within is the phase.
func (x *exchange) send(ctx, within context.Context) error {
	conn := x.rec.Conn()
	if !x.speaksHTTP2() {
		conn = inTurns(conn)
	}
	client, err := x.check.transport(conn).NewClientConn(within, x.check.endpoint.Scheme, x.check.endpoint.String())
	if err != nil {
		return x.explain(err)
	}
	request, err := x.request(ctx)
	if err != nil {
		_ = client.Close() // nothing was sent on it
		return checks.Fail(checks.OwnError, "make a request: %v", err)
	}
	x.client = client
	go func() {
		defer close(x.done)
		x.response, x.err = client.RoundTrip(request)
	}()
	select {
	case <-x.wrote:
	case <-x.done:
	case <-within.Done():
		return within.Err()
	}
	return nil
}

func (x *exchange) request(ctx context.Context) (*http.Request, error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { x.once.Do(func() { close(x.wrote) }) },
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, x.check.endpoint.URL.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	// Over HTTP/1.1 we say that we leave. Over HTTP/2 net/http would leave as
	// soon as the answer is there, and may lose its body over that.
	request.Close = !x.speaksHTTP2()
	request.Header.Set("User-Agent", "varde-probe")
	request.Header.Set("Accept", "*/*")
	return request, nil
}

func (x *exchange) speaksHTTP2() bool {
	conn, ok := x.rec.Conn().(*tls.Conn)
	return ok && conn.ConnectionState().NegotiatedProtocol == "h2"
}

// head waits for the answer's header and judges the status.
func (x *exchange) head(within context.Context) error {
	select {
	case <-x.done:
	case <-within.Done():
		return within.Err()
	}
	if x.err != nil {
		return x.explain(x.err)
	}
	got := x.response.StatusCode
	words := strings.TrimSpace(fmt.Sprintf("%d %s", got, http.StatusText(got)))
	switch want := cmp.Or(x.check.status, "200"); {
	case want.Contain(got):
		return nil
	case got == http.StatusTooManyRequests:
		return checks.Fail(checks.Policy, "%s, expected %s", words, want)
	default:
		return checks.Fail(checks.HTTPStatus, "%s, expected %s", words, want)
	}
}

// look reads the body until the expected text has come, or its end, or
// bodyMax. Without an expected text it shows that the page comes at all.
func (x *exchange) look() error {
	var seen bytes.Buffer
	chunk := make([]byte, 4<<10)
	body := io.LimitReader(x.response.Body, bodyMax)
	want := []byte(x.check.body)
	for {
		n, err := body.Read(chunk)
		from := max(0, seen.Len()-len(want)) // the text may lie across two chunks
		seen.Write(chunk[:n])
		switch {
		case len(want) > 0 && bytes.Contains(seen.Bytes()[from:], want):
			return nil
		case errors.Is(err, io.EOF) && len(want) == 0:
			return nil
		case errors.Is(err, io.EOF):
			return checks.Fail(checks.BodyMismatch, "the expected text is not in the first %d bytes", seen.Len())
		case err != nil:
			return err
		}
	}
}

// close ends the exchange and waits for the round trip; the goroutines that
// net/http keeps for a connection end with it.
func (x *exchange) close() {
	if x.client == nil {
		return
	}
	_ = x.client.Close() // the result stands
	<-x.done
	if x.response != nil {
		_ = x.response.Body.Close() // the connection is gone
	}
}

// transport speaks over the one connection given and dials no other.
func (c *Check) transport(conn net.Conn) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	given := func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	return &http.Transport{
		DialContext: given, DialTLSContext: given,
		Protocols: &protocols, DisableCompression: true,
		MaxResponseHeaderBytes: headerMax,
		// What the server may send ahead of our reading.
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: bodyMax, MaxReceiveBufferPerConnection: bodyMax},
	}
}

// explain names the ends of an HTTP/2 connection that net/http words in its own
// way; the recorder knows all others.
func (x *exchange) explain(err error) error {
	if err == nil {
		return nil
	}
	words := err.Error()
	for _, end := range []string{"GOAWAY", "client conn not usable", "received from peer"} {
		if strings.Contains(words, end) {
			return checks.Fail(checks.Closed, "the server closed the connection")
		}
	}
	if strings.Contains(words, "client conn could not be established") {
		return x.established(err)
	}
	return err
}

// established says why HTTP/2 found the connection dead before it was used: it
// keeps the reason to itself, but a TLS connection that has ended says so for
// ever. One that we closed had something else on it than HTTP/2.
func (x *exchange) established(err error) error {
	_, ended := x.rec.Conn().Read(make([]byte, 1))
	if ended == nil || errors.Is(ended, net.ErrClosed) {
		return checks.Fail(checks.ProtocolError, "the server does not begin as HTTP/2 does: %v", err)
	}
	return ended
}
