package control

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"varde/coordinator/internal/recording"
)

// pipes is a listener in memory, since a bubble's clock knows nothing of a socket.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if conn, ok := <-p; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p <- far
	return near, nil
}

// slow takes its time before, between and after what it writes.
type slow struct {
	coordinator
	words []string
	err   error
}

const pause = 3 * time.Minute

func (s *slow) Export(_ context.Context, _ recording.Wanted, w io.Writer) error {
	for _, word := range s.words {
		time.Sleep(pause)
		if _, err := io.WriteString(w, word); err != nil {
			return err
		}
	}
	time.Sleep(pause)
	return s.err
}

// TestSlowFile: whoever writes a file may look for it for longer than a command may
// last, at its beginning, in it and at its end.
func TestSlowFile(t *testing.T) {
	for name, tt := range map[string]struct {
		*slow
		want, err string
	}{
		"whole":           {slow: &slow{words: []string{"a", "b"}}, want: "ab"},
		"empty":           {slow: &slow{}},
		"broken":          {slow: &slow{words: []string{"a"}, err: errors.New("disk is gone")}, want: "a", err: `the coordinator stopped: "disk is gone"`},
		"nothing written": {slow: &slow{err: errors.New("no such check")}, err: "no such check"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, err := overPipes(t, tt.slow)
				if got != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
					t.Errorf("got %q, %v, expected %q, %s", got, err, tt.want, tt.err)
				}
			})
		})
	}
}

// overPipes asks for what c exports.
func overPipes(t *testing.T, c *slow) (string, error) {
	t.Helper()
	s, err := New(Options{
		Roster: c, Reporter: c, Incidents: c, Evidence: c, Windows: c, Backup: c, Exporter: c, Rebuilder: c, Reports: c,
		Logger: slog.New(slog.DiscardHandler), Wrap: c.counted,
	})
	if err != nil {
		t.Fatal(err)
	}
	l := make(pipes)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l) }()
	client := &Client{http: http.Client{Transport: &http.Transport{DialContext: l.dial, DisableKeepAlives: true}}}
	var got bytes.Buffer
	asked := client.Export(t.Context(), recording.Wanted{}, &got)
	time.Sleep(time.Hour) // whatever became of the client, the server may finish
	stop()
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	return got.String(), asked
}
