package ingest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"varde/probe/uplinktest"
	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// dial opens a connection as a probe with the given TLS.
func (w *world) dial(config *tls.Config) *grpc.ClientConn {
	w.t.Helper()
	w.probes++
	host := w.net.Host(netip.AddrFrom4([4]byte{203, 0, 113, byte(w.probes)}))
	c, err := grpc.NewClient("passthrough:///coordinator", grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return host.DialContext(ctx, "tcp", address1)
		}))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// talk is a Report stream spoken by hand. It answers no clock query by itself.
type talk struct {
	t      testing.TB
	stream grpc.BidiStreamingClient[vardev1.ReportRequest, vardev1.ReportResponse]
	marks  chan *vardev1.Mark
	clocks chan *vardev1.ClockQuery
	end    chan error
}

// talk opens a stream on conn.
func (w *world) talk(conn *grpc.ClientConn) *talk {
	w.t.Helper()
	s, err := vardev1.NewFleetServiceClient(conn).Report(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	k := &talk{t: w.t, stream: s, marks: make(chan *vardev1.Mark, 1000), clocks: make(chan *vardev1.ClockQuery, 1000), end: make(chan error, 1)}
	go func() {
		for {
			m, err := s.Recv()
			if err != nil {
				k.end <- err
				return
			}
			if m.GetMark() != nil {
				k.marks <- m.GetMark()
			} else {
				k.clocks <- m.GetClockQuery()
			}
		}
	}()
	return k
}

func (k *talk) send(m *vardev1.ReportRequest) {
	k.t.Helper()
	if err := k.stream.Send(m); err != nil {
		k.t.Errorf("send: %v", err)
	}
}

func (k *talk) state(s wire.ProbeState) {
	k.t.Helper()
	k.send(&vardev1.ReportRequest{Kind: &vardev1.ReportRequest_State{State: wire.ProbeStateToProto(s)}})
}

func (k *talk) resume(epoch string) {
	k.t.Helper()
	k.send(&vardev1.ReportRequest{Kind: &vardev1.ReportRequest_Resume{Resume: &vardev1.Resume{Epoch: epoch}}})
}

// batch sends records first to last.
func (k *talk) batch(epoch string, first, last uint64) {
	k.t.Helper()
	var records []wire.Record
	for seq := first; seq <= last; seq++ {
		records = append(records, wire.Record{Observation: uplinktest.Observation(seq)})
	}
	k.records(epoch, records...)
}

func (k *talk) records(epoch string, records ...wire.Record) {
	k.t.Helper()
	b := wire.BatchToProto(wire.Batch{Epoch: epoch, Records: records})
	k.send(&vardev1.ReportRequest{Kind: &vardev1.ReportRequest_Batch{Batch: b}})
}

func gap(first, last uint64) wire.Record {
	at := time.Now()
	return wire.Record{Gap: &wire.Gap{First: first, Last: last, From: at, To: at}}
}

// mark waits for the next mark.
func (k *talk) mark(epoch string, seq uint64) {
	k.t.Helper()
	select {
	case m := <-k.marks:
		if m.GetEpoch() != epoch || m.GetSeq() != seq {
			k.t.Errorf("mark %s %d, want %s %d", m.GetEpoch(), m.GetSeq(), epoch, seq)
		}
	case err := <-k.end:
		k.end <- err
		k.t.Errorf("stream ended instead of mark %s %d: %v", epoch, seq, err)
	case <-time.After(time.Minute):
		k.t.Errorf("no mark within a minute, want %s %d", epoch, seq)
	}
}

// ended waits for the stream to end with a code.
func (k *talk) ended(code codes.Code) string {
	k.t.Helper()
	select {
	case err := <-k.end:
		if status.Code(err) != code {
			k.t.Errorf("stream ended with %v, want code %s", err, code)
		}
		return status.Convert(err).Message()
	case <-time.After(time.Minute):
		k.t.Errorf("stream has not ended, want code %s", code)
	}
	return ""
}

// memory is a journal in memory that can fail in every way that matters.
type memory struct {
	mu      sync.Mutex
	entries [][]wire.Batch
	marks   map[wire.Source]uint64
	heard   map[string]time.Time
	// fail says what the next appends do.
	fail []failure
	// took is how long an append takes.
	took time.Duration
}

type failure uint8

const (
	none   failure = iota
	before         // an error, and nothing was kept
	behind         // an error, and it was kept all the same
)

func newMemory() *memory { return &memory{marks: map[wire.Source]uint64{}} }

func (m *memory) Append(_ context.Context, batches []wire.Batch) (uint64, error) {
	time.Sleep(m.took)
	m.mu.Lock()
	defer m.mu.Unlock()
	f := none
	if len(m.fail) > 0 {
		f, m.fail = m.fail[0], m.fail[1:]
	}
	if f == before {
		return 0, errors.New("disk is full at /secret/path")
	}
	for _, b := range batches {
		if b.First() != m.marks[b.Source()]+1 {
			panic(fmt.Sprintf("journal was given %d to %d of %v after %d", b.First(), b.Last(), b.Source(), m.marks[b.Source()]))
		}
		m.marks[b.Source()] = b.Last()
	}
	m.entries = append(m.entries, batches)
	if f == behind {
		return 0, context.DeadlineExceeded
	}
	return uint64(len(m.entries)), nil
}

func (m *memory) Mark(_ context.Context, s wire.Source) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.marks[s], nil
}

func (m *memory) Heard(context.Context) (map[string]time.Time, error) { return m.heard, nil }

func (m *memory) kept() [][]wire.Batch {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entries
}
