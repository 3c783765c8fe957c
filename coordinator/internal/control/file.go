package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"time"
)

// The trailers of an answer that has no end that is known before: why it is not whole,
// and the SHA-256 of all of it in hexadecimal digits.
const (
	errorTrailer = "Varde-Error"
	sumTrailer   = "Varde-Sha256"
)

// stall is how long a file may stand still on its way.
const stall = time.Minute

// send answers with a file that fn writes, as long as it takes. An error before the
// first byte is the answer instead.
func (s *Server) send(w http.ResponseWriter, r *http.Request, what string, fn func(io.Writer) error) {
	out := &file{w: w, controller: http.NewResponseController(w), sum: sha256.New()}
	err := fn(out)
	// What follows may be sent however long fn was silent; if the connection is gone it fails.
	_ = out.renew()
	switch {
	case err == nil:
		if !out.begun { // without a byte there would be no trailers
			out.begin()
			_ = out.controller.Flush() // whoever is gone misses nothing
		}
		w.Header().Set(sumTrailer, hex.EncodeToString(out.sum.Sum(nil)))
		s.logger.Info("file written", "file", what)
	case out.begun:
		s.logger.Warn("file not written", "file", what, "error", err)
		w.Header().Set(errorTrailer, oneLine(err))
	default:
		answer(w, r, func(context.Context) (struct{}, error) { return struct{}{}, err })
	}
}

// oneLine is an error as a field of a header can hold it.
func oneLine(err error) string { return fmt.Sprintf("%.500q", err.Error()) }

// file is an answer that is as long as it takes.
type file struct {
	w          http.ResponseWriter
	controller *http.ResponseController
	sum        hash.Hash
	begun      bool
}

// Write sends a piece. Whoever does not take it within a minute is gone.
func (f *file) Write(b []byte) (int, error) {
	if !f.begun {
		f.begin()
	}
	if err := f.renew(); err != nil {
		return 0, err
	}
	n, err := f.w.Write(b)
	f.sum.Write(b[:n])
	return n, err
}

// renew gives what is sent next its time.
func (f *file) renew() error { return f.controller.SetWriteDeadline(time.Now().Add(stall)) }

// begin announces what follows the file.
func (f *file) begin() {
	f.begun = true
	f.w.Header().Set("Content-Type", "application/octet-stream")
	f.w.Header().Set("Trailer", errorTrailer+", "+sumTrailer)
}

// fetch writes the file at a path of the control socket to w. After an error what was
// written is not to be used. It gives up when nothing came for so long.
func (c *Client) fetch(ctx context.Context, path string, stall time.Duration, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(stall, func() { cancel(fmt.Errorf("the coordinator has sent nothing for %s", stall)) })
	defer stalled.Stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://coordinator"+path, nil)
	if err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return c.failed(ctx, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		_, err := decode[struct{}](answer)
		return err
	}
	sum := sha256.New()
	var writing error
	alive := writer(func(b []byte) (n int, _ error) {
		stalled.Reset(stall)
		n, writing = w.Write(b)
		return n, writing
	})
	if _, err := io.Copy(io.MultiWriter(sum, alive), answer.Body); writing != nil {
		return writing
	} else if err != nil {
		return c.failed(ctx, err)
	}
	switch want := answer.Trailer.Get(sumTrailer); {
	case answer.Trailer.Get(errorTrailer) != "":
		return fmt.Errorf("the coordinator stopped: %s", answer.Trailer.Get(errorTrailer))
	case want != hex.EncodeToString(sum.Sum(nil)):
		return fmt.Errorf("got the SHA-256 %x, expected %q: ask again", sum.Sum(nil), want)
	}
	return nil
}

// failed is why a request was given up, or what the transport says.
func (c *Client) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return c.explain(err)
}

// writer is a function that is written to.
type writer func([]byte) (int, error)

// Write calls it.
func (w writer) Write(b []byte) (int, error) { return w(b) }
