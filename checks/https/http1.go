package https

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"

	"varde/checks"
)

// http1 is HTTP/1.1 over one connection, one request after another. What is read
// and written is net/http's; only its pool of connections is not needed.
type http1 struct {
	conn    net.Conn
	taken   *io.LimitedReader // from conn
	read    *bufio.Reader     // from taken
	request *http.Request     // the last one
}

// restMax is how much body of a redirect is read to go on over the same
// connection, in bytes.
const restMax = 4 << 10

// readAhead is how much is read at once where little is asked for, in bytes: most
// headers fit, and a body has a buffer of its own.
const readAhead = 1 << 10

// requestSize is how long most requests are at most, in bytes.
const requestSize = 256

func newHTTP1(conn net.Conn) *http1 {
	taken := &io.LimitedReader{R: conn}
	return &http1{conn: conn, taken: taken, read: bufio.NewReaderSize(taken, readAhead)}
}

func (h *http1) send(_, _ context.Context, request *http.Request) error {
	words := bytes.NewBuffer(make([]byte, 0, requestSize))
	if err := request.Write(words); err != nil {
		return checks.Fail(checks.OwnError, "make a request: %v", err)
	}
	h.request = request
	_, err := h.conn.Write(words.Bytes())
	return err
}

// head passes over the interim answers of RFC 9110 15.2, which count to the
// size of the header.
func (h *http1) head(context.Context) (*http.Response, error) {
	h.taken.N = headerMax
	for {
		answer, err := http.ReadResponse(h.read, h.request)
		switch {
		case err != nil && h.taken.N <= 0:
			return nil, checks.Fail(checks.ProtocolError, "a header of more than %d kB", headerMax>>10)
		case err != nil:
			return nil, err
		case answer.ProtoMajor != 1 || answer.StatusCode == http.StatusSwitchingProtocols:
			return nil, checks.Fail(checks.ProtocolError, "%s %.64s, expected an answer of HTTP/1.1", answer.Proto, answer.Status)
		case answer.StatusCode >= http.StatusOK:
			h.taken.N = math.MaxInt64 // the body has a limit of its own
			return answer, nil
		}
	}
}

// next reads the rest of a short answer.
func (h *http1) next(answer *http.Response) (bool, error) {
	if h.request.Close || answer.Close {
		return false, nil
	}
	_, err := io.CopyN(io.Discard, answer.Body, restMax)
	if err == nil || !errors.Is(err, io.EOF) {
		return false, err
	}
	return h.read.Buffered() == 0, nil
}

func (h *http1) explain(err error) error { return err }
