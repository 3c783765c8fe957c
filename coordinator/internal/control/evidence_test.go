package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"varde/coordinator/internal/recording"
)

// A file of several pieces, one that stops in the middle, and none.
const (
	whole  = "2026-11-22-imap-4k7qx"
	broken = "2026-11-22-imap-broken"
)

func (c *coordinator) Evidence(_ context.Context, incident string, w io.Writer) error {
	if incident != whole && incident != broken {
		return fmt.Errorf("incident %q: there is no such incident", incident)
	}
	for range 100 {
		if _, err := w.Write(bytes.Repeat([]byte(incident), 1000)); err != nil {
			return err
		}
	}
	if incident == broken {
		return errors.New("read evidence:\ndisk is gone")
	}
	return nil
}

func TestEvidenceIsStreamed(t *testing.T) {
	data, _ := start(t, &coordinator{})
	client, ctx := NewClient(data), t.Context()
	var got bytes.Buffer
	if err := client.Evidence(ctx, whole, &got); err != nil || got.String() != strings.Repeat(whole, 100_000) {
		t.Errorf("got %d bytes, %v", got.Len(), err)
	}
	if err := client.Evidence(ctx, broken, io.Discard); err == nil || err.Error() != `the coordinator stopped: "read evidence:\ndisk is gone"` {
		t.Errorf("one that stops: %v", err)
	}
	got.Reset()
	if err := client.Evidence(ctx, "../x", &got); err == nil || err.Error() != `incident "../x": there is no such incident` || got.Len() > 0 {
		t.Errorf("one that is not there: %v, and %d bytes", err, got.Len())
	}
	stopped, cancel := context.WithCancelCause(ctx)
	cancel(errors.New("stopped by a person"))
	if err := client.Evidence(stopped, whole, io.Discard); err == nil || err.Error() != "stopped by a person" {
		t.Errorf("stopped: %v", err)
	}
	if err := client.Evidence(ctx, whole, failing{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a full disk: %v", err)
	}
	if err := NewClient(t.TempDir()).Evidence(ctx, whole, io.Discard); err == nil || !strings.Contains(err.Error(), "no coordinator runs") {
		t.Errorf("nobody runs: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// TestEvidenceIsWhole: a file that came without the right sum is none.
func TestEvidenceIsWhole(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"without a sum": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "PK") },
		"another sum": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", sumTrailer)
			_, _ = io.WriteString(w, "PK")
			w.Header().Set(sumTrailer, strings.Repeat("0", 64))
		},
		"broken off": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "PK")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			l, err := Listen(t.Context(), data)
			if err != nil {
				t.Fatal(err)
			}
			srv := &http.Server{Handler: answer}
			done := make(chan error, 1)
			go func() { done <- srv.Serve(l) }()
			if err := NewClient(data).Evidence(t.Context(), whole, io.Discard); err == nil {
				t.Error("got no error")
			}
			if err := srv.Close(); err != nil {
				t.Error(err)
			}
			if err := <-done; !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
	}
}

// Backup writes something.
func (c *coordinator) Backup(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, whole)
	return err
}

func TestBackupComesWhole(t *testing.T) {
	data, _ := start(t, &coordinator{})
	var got strings.Builder
	if err := NewClient(data).Backup(t.Context(), &got); err != nil || got.String() != whole {
		t.Errorf("got %q, %v", got.String(), err)
	}
}

// Export writes what was asked for.
func (c *coordinator) Export(_ context.Context, want recording.Wanted, w io.Writer) error {
	_, err := fmt.Fprintf(w, "%+v", want)
	return err
}

func TestExportIsAskedFor(t *testing.T) {
	data, _ := start(t, &coordinator{})
	at := time.Date(2026, 11, 22, 12, 0, 0, 5, time.UTC)
	for _, want := range []recording.Wanted{{}, {From: at, To: at.Add(time.Hour), Check: "a", Service: "b&c", Probe: "d", Region: "e"}} {
		var got strings.Builder
		if err := NewClient(data).Export(t.Context(), want, &got); err != nil || got.String() != fmt.Sprintf("%+v", want) {
			t.Errorf("got %q, %v, want %+v", got.String(), err, want)
		}
	}
}

// Rebuild and Rebuilding say what they were asked.
func (c *coordinator) Rebuild(context.Context) (Rebuilding, error) {
	return Rebuilding{Running: true, All: 7}, nil
}

func (c *coordinator) Rebuilding(context.Context) (Rebuilding, error) {
	return Rebuilding{Done: 7, All: 7}, nil
}

func TestRebuildIsAskedFor(t *testing.T) {
	data, _ := start(t, &coordinator{})
	c := NewClient(data)
	if b, err := c.Rebuild(t.Context()); err != nil || !b.Running || b.All != 7 {
		t.Errorf("got %+v, %v", b, err)
	}
	if b, err := c.Rebuilding(t.Context()); err != nil || b.Running || b.Done != 7 {
		t.Errorf("got %+v, %v", b, err)
	}
}
