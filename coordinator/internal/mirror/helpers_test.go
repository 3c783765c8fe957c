package mirror

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/verdict"
	"varde/proto/wire"
)

func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1) // bubbles under the race detector need it
	goleak.VerifyTestMain(m)
}

// begin is a fixed time, so that every run makes the same points.
func begin() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }

// journal is a journal in memory.
type journal struct {
	mu      sync.Mutex
	entries []history.Entry
	// gone is how many of the oldest it holds no more.
	gone uint64
}

func (j *journal) Bounds() (first, last uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) == 0 {
		return 0, 0
	}
	return j.gone + 1, uint64(len(j.entries))
}

func (j *journal) Last() uint64 {
	_, last := j.Bounds()
	return last
}

func (j *journal) Read(_ context.Context, from, to uint64, fn func(history.Entry) error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for seq := max(from, j.gone+1); seq <= to; seq++ {
		if err := fn(j.entries[seq-1]); err != nil {
			return err
		}
	}
	return nil
}

// grow adds n entries, each with one observation of each of three probes and an event
// that is none.
func (j *journal) grow(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for range n {
		seq := uint64(len(j.entries)) + 1
		e := history.Entry{Seq: seq}
		for p := range 3 {
			at := begin().Add(time.Duration(seq) * time.Second)
			o := checks.Observation{
				Check: "imap-login", Service: "imap", Epoch: fmt.Sprintf("e%d", seq/50), Seq: seq, Family: checks.IPv4, Trigger: checks.Scheduled,
				Scheduled: at, Started: at.Add(time.Duration(p) * time.Millisecond),
				Result: checks.Result{Outcome: checks.Up, Elapsed: time.Duration(seq) * time.Millisecond, Phases: []checks.PhaseTiming{{Name: checks.Resolve, Duration: time.Millisecond}}},
			}
			if seq%10 == 0 {
				o.Outcome, o.Class, o.FailedPhase, o.Detail = checks.Down, checks.ConnectRefused, checks.Connect, "nobody reads this there"
			}
			o.Probe, o.Region = fmt.Sprintf("p%d", p), "eu-north"
			b := wire.Batch{Probe: o.Probe, Region: o.Region, Epoch: o.Epoch, Received: at.Add(time.Second), Records: []wire.Record{{Observation: o}, {Event: &wire.Event{Seq: seq}}}}
			e.Batches = append(e.Batches, b)
		}
		j.entries = append(j.entries, e)
	}
}

// points are those of all that the journal ever held, as fields by series and time.
func (j *journal) points() map[string]string {
	out := map[string]string{}
	s := newScheme(func(string) string { return "imap" })
	for _, e := range j.entries {
		for i := range e.Batches {
			for _, p := range s.batch(&e.Batches[i]) {
				name, fields := split(encode(p))
				out[name] = fields
			}
		}
	}
	return out
}

// told is a record of verdicts in memory.
type told []history.StoredChange

func (r told) ChangesAfter(_ context.Context, kind string, after int64, limit int) ([]history.StoredChange, error) {
	if kind != "told" {
		return nil, errors.New("kind is " + kind)
	}
	var out []history.StoredChange
	for _, c := range r {
		if c.ID > after && len(out) < limit {
			out = append(out, c)
		}
	}
	return out, nil
}

func tell(n int) (out told) {
	for i := range n {
		out = append(out, history.StoredChange{ID: int64(i) + 1, Change: verdict.Change{
			Series: verdict.Series{Check: "imap-login", Region: "eu-north", Family: checks.IPv4},
			From:   verdict.Up, To: verdict.Down, At: begin().Add(time.Duration(i) * time.Minute), Counts: verdict.Counts{Down: 3},
		}})
	}
	return out
}

// server is a server in memory; answer, unless nil, says how a request ends.
type server struct {
	mu     sync.Mutex
	points map[string]string
	writes int
	answer func(lines []string) (*http.Response, error)
}

func (s *server) set(answer func([]string) (*http.Response, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	s.writes++
	if s.answer != nil {
		if answer, err := s.answer(lines); answer != nil || err != nil {
			return answer, err
		}
	}
	s.take(lines)
	return reply(http.StatusNoContent, ""), nil
}

func (s *server) take(lines []string) {
	for _, l := range lines {
		name, fields := split(l)
		s.points[name] = fields
	}
}

// of counts the points of a measurement.
func (s *server) of(measurement string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.points {
		if strings.HasPrefix(name, measurement+",") {
			n++
		}
	}
	return n
}

func reply(status int, words string) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: io.NopCloser(bytes.NewBufferString(words))}
}

// split takes a line of the protocol apart; nothing in ours is escaped.
func split(line string) (name, fields string) {
	part := strings.Split(line, " ")
	return part[0] + " " + part[2], part[1]
}

func options(t *testing.T, dir string, j Source, v Verdicts) Options {
	return Options{
		Dir: dir, Source: j, Verdicts: v, Service: func(string) string { return "imap" },
		Secret: func(string) (string, error) { return "secret", nil }, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

// start runs a mirror to a server in memory.
func start(t *testing.T, dir string, s *server, j Source, v Verdicts) (m *mirror, stop func()) {
	m = newMirror(Target{ID: "m", URL: "http://server", Bucket: "varde", TokenFile: "token"}, options(t, dir, j, v))
	m.client.http.Transport = limited{s}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.run(ctx)
	}()
	return m, func() {
		cancel()
		<-done
	}
}
