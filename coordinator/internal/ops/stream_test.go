package ops

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"varde/coordinator/internal/verdict"
)

// tape is a response that can be read while it is written, and that can be
// held.
type tape struct {
	mu     sync.Mutex
	header http.Header
	status int
	text   bytes.Buffer
	hold   chan struct{}
}

func newTape() *tape { return &tape{header: http.Header{}, status: 200} }

func (w *tape) Header() http.Header { return w.header }

func (w *tape) WriteHeader(status int) { w.status = status }

func (w *tape) Flush() {}

func (w *tape) Write(b []byte) (int, error) {
	w.mu.Lock()
	hold := w.hold
	w.mu.Unlock()
	if hold != nil {
		<-hold
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *tape) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// listen opens a stream; done is closed when it has ended.
func listen(ctx context.Context, s *Server, w http.ResponseWriter) (done chan struct{}) {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/stream", nil)
	r.Host = "localhost"
	done = make(chan struct{})
	go func() {
		defer close(done)
		s.ServeHTTP(w, r)
	}()
	return done
}

func TestStream(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		s := newServer(t, f, nil)
		ctx, cancel := context.WithCancel(t.Context())
		w := newTape()
		done := listen(ctx, s, w)
		synctest.Wait()
		s.PublishVerdict(f.verdict(f.now.Checks[2], "oceania", 1))
		s.PublishProbe(f.now.Probes[4])
		synctest.Wait()
		time.Sleep(15 * time.Second)
		synctest.Wait()
		cancel()
		<-done
		if w.header.Get("Content-Type") != "text/event-stream" || w.header.Get("Cache-Control") != "no-store" {
			t.Errorf("header %v", w.header)
		}
		want := "retry: 3000\n\n" +
			`event: verdict` + "\n" + `data: {"check":"imap-login","service":"imap","region":"oceania","family":"ipv4","state":"down","since":"2026-11-22T07:42:10Z","reason":"the last 4 runs failed with connect_timeout, 3 of 3 probes, 21 s after the first failure","up":0,"down":3,"unknown":0,"evidence":{"part":""}}` + "\n\n" +
			`event: probe` + "\n" + `data: {"name":"fra-2","region":"eu-central","site":"fra","asn":51167,"version":"0.1.0","state":"connected","last_seen":"2026-11-22T10:20:11Z","clock_offset_ms":0,"plan_revision":418,"spool":12,"qualified":false,"reason":"0 of 3 controls answer over ipv4","relay":"","faults":[],"counts":{"runs":180004,"late_runs":0,"missed_runs":0,"panicked_runs":0,"dropped_records":0,"confirms_asked":0,"confirms_run":0,"confirms_refused":0,"disqualified_failures":58,"mesh_refused":0,"plans_refused":0,"plans_from_peers":0,"relayed_connections":0,"relay_connections_used":0}}` + "\n\n" +
			": still here\n\n"
		if got := w.String(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if n := len(s.hub.readers); n != 0 {
			t.Errorf("%d readers are left behind", n)
		}
	})
}

func TestASlowReaderHoldsUpNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake(), nil)
		slow, quick := newTape(), newTape()
		slow.hold = make(chan struct{})
		slowDone := listen(t.Context(), s, slow)
		ctx, cancel := context.WithCancel(t.Context())
		quickDone := listen(ctx, s, quick)
		synctest.Wait()
		start := time.Now()
		const events = 2 * readerBuffer
		for range events {
			s.PublishVerdict(Verdict{State: verdict.Up})
			synctest.Wait()
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("publishing waited %s for a slow reader", d)
		}
		if n := strings.Count(quick.String(), "event: verdict"); n != events {
			t.Errorf("the quick reader got %d of %d events", n, events)
		}
		if open, dropped := s.Readers(); open != 1 || dropped != 1 {
			t.Errorf("%d readers and %d let go, want the quick one and the slow one", open, dropped)
		}
		close(slow.hold)
		<-slowDone // it was let go, and ends by itself
		cancel()
		<-quickDone
	})
}

func TestReadersAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake(), nil)
		ctx, cancel := context.WithCancel(t.Context())
		var ended []chan struct{}
		for range maxReaders {
			ended = append(ended, listen(ctx, s, newTape()))
		}
		synctest.Wait()
		if w := get(s, "/api/v1/stream"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("one more reader got %d", w.Code)
		}
		cancel()
		for _, done := range ended {
			<-done
		}
	})
}

func TestStreamOverARealConnection(t *testing.T) {
	s := newServer(t, newFake(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := httptest.NewServer(s)
	defer server.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/api/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	buffer := make([]byte, 64)
	n, err := answer.Body.Read(buffer)
	if err != nil || string(buffer[:n]) != "retry: 3000\n\n" {
		t.Errorf("got %q, %v", buffer[:n], err)
	}
}
