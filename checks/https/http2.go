package https

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"varde/checks"
)

// http2 is HTTP/2 over one connection, which net/http holds.
type http2 struct {
	conn      *listened
	address   string // host:port
	transport *http.Transport
	client    *http.ClientConn
	trip      *trip // the last one
}

// trip is one request and its answer.
type trip struct {
	once  sync.Once
	wrote chan struct{} // closed when the request is sent
	done  chan struct{} // closed when the two below are set

	answer *http.Response
	err    error
}

// given is the key of the connection in a context of transport.
type given struct{}

// idleMax is how long a connection may have no request: longer than a check takes to
// begin its next one. net/http remembers one that had a single request for as long
// after its end too, or for 5 s, with 60 kB of buffers.
const idleMax = 2 * time.Second

// transport speaks HTTP/2 over the connection given to it, on which it was agreed
// on, and dials no other. It is made when it is needed: most checks of a large fleet
// wait for their turn.
func transport(maxBody int64) *http.Transport {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true) // the connection is secure already
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, _ := ctx.Value(given{}).(net.Conn)
			return conn, nil
		},
		Protocols: &protocols, DisableCompression: true, IdleConnTimeout: idleMax,
		MaxResponseHeaderBytes: headerMax,
		// What the server may send ahead of our reading.
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: int(maxBody), MaxReceiveBufferPerConnection: int(maxBody)},
	}
}

// agreed is the protocol that the handshake ended with.
func agreed(conn net.Conn) string {
	if c, ok := conn.(*tls.Conn); ok {
		return c.ConnectionState().NegotiatedProtocol
	}
	return ""
}

func newHTTP2(v *visit) *http2 {
	h := &http2{conn: &listened{Conn: v.rec.Conn()}, address: v.at.String(), transport: transport(v.check.maxBody)}
	v.rec.BeforeClose(h.close)
	return h
}

// send starts the round trip and waits until the request is written, or
// answered before that.
func (h *http2) send(ctx, within context.Context, request *http.Request) error {
	if h.client == nil {
		client, err := h.transport.NewClientConn(context.WithValue(within, given{}, h.conn), "http", h.address)
		if err != nil {
			return err
		}
		h.client = client
	}
	// net/http would leave as soon as the answer is there, and may lose its body
	// over that.
	request.Close = false
	t := &trip{wrote: make(chan struct{}), done: make(chan struct{})}
	h.trip = t
	request = request.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { t.once.Do(func() { close(t.wrote) }) },
	}))
	go func() {
		defer close(t.done)
		t.answer, t.err = h.client.RoundTrip(request)
	}()
	select {
	case <-t.wrote:
	case <-t.done:
	case <-within.Done():
		return within.Err()
	}
	return nil
}

func (h *http2) head(within context.Context) (*http.Response, error) {
	select {
	case <-h.trip.done:
		return h.trip.answer, h.trip.err
	case <-within.Done():
		return nil, within.Err()
	}
}

// next leaves the answer: its stream ends without the connection.
func (h *http2) next(answer *http.Response) (bool, error) { return true, answer.Body.Close() }

// close ends the round trip and waits for it; the goroutines that net/http keeps
// for a connection end with it.
func (h *http2) close() {
	if h.client == nil {
		return
	}
	_ = h.client.Close() // the result stands
	if h.trip == nil {
		return
	}
	<-h.trip.done
	if h.trip.answer != nil {
		_ = h.trip.answer.Body.Close() // the connection is gone
	}
}

// explain says why the connection came to nothing: how its stream ended, if it
// did, or what else net/http words in its own way.
func (h *http2) explain(err error) error {
	if ended := h.conn.ended.Load(); ended != nil && !errors.Is(*ended, net.ErrClosed) { // which is net/http leaving
		return *ended
	}
	words := err.Error()
	for _, end := range []string{"GOAWAY", "client conn not usable", "received from peer"} {
		if strings.Contains(words, end) {
			return checks.Fail(checks.Closed, "the server closed the connection")
		}
	}
	if strings.Contains(words, "client conn could not be established") {
		return checks.Fail(checks.ProtocolError, "the server does not begin as HTTP/2 does")
	}
	return err
}
