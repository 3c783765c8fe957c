package ingest_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"pgregory.net/rapid"

	"varde/coordinator/internal/ingest"
	"varde/probe/uplinktest"
	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// step is one thing that happens in the life of a badly behaved probe and a
// coordinator on bad ground.
type step struct {
	// do is "send", "reconnect", "restart" or "pause".
	do string
	// stream and epoch say where a batch goes; it begins skip after (or before)
	// where an honest probe would, and has n records, as one gap if so.
	stream int
	epoch  string
	skip   int
	n      int
	gap    bool
	// fail is what becomes of the append.
	fail failure
}

func drawStep(t *rapid.T) step {
	return step{
		do:     rapid.SampledFrom([]string{"send", "send", "send", "send", "reconnect", "restart", "pause"}).Draw(t, "do"),
		stream: rapid.IntRange(0, 1).Draw(t, "stream"),
		epoch:  rapid.SampledFrom([]string{"e1", "e2"}).Draw(t, "epoch"),
		skip:   rapid.SampledFrom([]int{0, 0, 0, -1, -4, -30, 1, 9}).Draw(t, "skip"),
		n:      rapid.IntRange(1, 30).Draw(t, "n"),
		gap:    rapid.IntRange(0, 9).Draw(t, "gap") == 0,
		fail:   rapid.SampledFrom([]failure{none, none, none, none, before, behind}).Draw(t, "fail"),
	}
}

// TestExactlyOnce is the law: whatever is sent, on whichever streams, and
// whatever fails between, the journal is given every record once and in order
// (memory panics otherwise), and an honest probe can go on afterwards.
func TestExactlyOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 40).Draw(rt, "steps")
		bubble(t, func(t *testing.T) {
			m := newMemory()
			w := newWorld(t, m)
			w.authority.add(ingest.Peer{Name: "osl-1", Region: "eu-north"})
			stop := w.coordinate()
			h := &hooligan{world: w, memory: m, sent: map[string]uint64{}}
			for _, s := range steps {
				if s.do == "restart" {
					h.hangUp()
					stop()
					stop = w.coordinate()
					continue
				}
				h.play(s)
			}
			h.hangUp()
			m.mu.Lock()
			m.fail = nil
			m.mu.Unlock()
			k := w.talk(w.dial(w.clientTLS("osl-1", "eu-north", 0)))
			for _, epoch := range []string{"e1", "e2"} {
				k.resume(epoch)
				mark := (<-k.marks).GetSeq()
				k.batch(epoch, mark+1, mark+10)
				k.mark(epoch, mark+10)
			}
			stop()
		})
	})
}

// hooligan sends without listening.
type hooligan struct {
	*world
	memory  *memory
	streams [2]grpc.BidiStreamingClient[vardev1.ReportRequest, vardev1.ReportResponse]
	conns   [2]*grpc.ClientConn
	sent    map[string]uint64
}

func (h *hooligan) hangUp() {
	for i, c := range h.conns {
		if c != nil {
			c.Close()
			h.conns[i], h.streams[i] = nil, nil
		}
	}
}

func (h *hooligan) play(s step) {
	switch s.do {
	case "pause":
		time.Sleep(10 * time.Millisecond)
		return
	case "reconnect":
		if h.conns[s.stream] != nil {
			h.conns[s.stream].Close()
			h.streams[s.stream] = nil
		}
		return
	}
	if h.streams[s.stream] == nil {
		h.conns[s.stream] = h.dial(h.clientTLS("osl-1", "eu-north", 0))
		var err error
		if h.streams[s.stream], err = vardev1.NewFleetServiceClient(h.conns[s.stream]).Report(context.Background()); err != nil {
			h.t.Fatal(err)
		}
	}
	h.memory.mu.Lock()
	h.memory.fail = append(h.memory.fail, s.fail)
	h.memory.mu.Unlock()
	first := uint64(max(1, int(h.sent[s.epoch])+1+s.skip))
	b := wire.Batch{Epoch: s.epoch}
	if s.gap {
		b.Records = []wire.Record{gap(first, first+uint64(s.n)-1)}
	} else {
		for i := range s.n {
			b.Records = append(b.Records, wire.Record{Observation: uplinktest.Observation(first + uint64(i))})
		}
	}
	err := h.streams[s.stream].Send(&vardev1.ReportRequest{Kind: &vardev1.ReportRequest_Batch{Batch: wire.BatchToProto(b)}})
	if err != nil {
		h.conns[s.stream].Close()
		h.streams[s.stream] = nil
	}
	mark, _ := h.memory.Mark(context.Background(), wire.Source{Probe: "osl-1", Epoch: s.epoch})
	h.sent[s.epoch] = max(mark, b.Last())
	if s.skip < -20 {
		h.sent[s.epoch] = mark
	}
}
