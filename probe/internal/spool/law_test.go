package spool

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"varde/proto/wire"
)

// model is what a spool must hold: by epoch, how many numbers were given, how
// many acknowledged, and which of them were appended with success.
type model struct {
	dir     string
	n       int
	s       *Spool
	given   map[string]uint64
	acked   map[string]uint64
	written map[string]map[uint64]bool
	bad     bool
	// compressed counts the segments that were met so.
	compressed int
}

func (m *model) reopen(t *rapid.T) {
	m.n++
	s, err := Open(Options{
		Dir: m.dir, Epoch: fmt.Sprintf("e%04d", m.n), MaxBytes: MinMaxBytes, NoSync: true,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	idle(s)
	m.s, m.bad = s, false
	m.written[s.opt.Epoch] = map[uint64]bool{}
}

func (m *model) Append(t *rapid.T) {
	n := rapid.IntRange(1, 50).Draw(t, "observations")
	for range n {
		o, err := m.s.Append(observation(1))
		if (err != nil) != m.bad {
			t.Fatalf("append on a bad disk %t: %v", m.bad, err)
		}
		m.given[m.s.opt.Epoch]++
		if err == nil {
			if o.Seq != m.given[m.s.opt.Epoch] {
				t.Fatalf("got number %d, want %d", o.Seq, m.given[m.s.opt.Epoch])
			}
			m.written[o.Epoch][o.Seq] = true
		}
	}
	idle(m.s)
}

func (m *model) Ack(t *rapid.T) {
	epoch := rapid.SampledFrom(m.s.Epochs()).Draw(t, "epoch")
	if m.given[epoch] == 0 {
		t.Skip("nothing to acknowledge")
	}
	through := rapid.Uint64Range(0, m.given[epoch]).Draw(t, "through")
	for range rapid.IntRange(1, 2).Draw(t, "times") {
		if err := m.s.Ack(epoch, through); err != nil {
			t.Fatal(err)
		}
	}
	m.acked[epoch] = max(m.acked[epoch], through)
}

func (m *model) Disk(*rapid.T) {
	if m.bad = !m.bad; m.bad {
		m.s.disk = &badDisk{disk: m.s.disk, writing: os.ErrDeadlineExceeded}
	} else {
		m.s.disk = m.s.disk.(*badDisk).disk
	}
}

func (m *model) Restart(t *rapid.T) {
	if err := m.s.Close(); err != nil {
		t.Fatal(err)
	}
	m.reopen(t)
}

// Check holds the spool against the model: each epoch goes on from its mark in
// order and without a hole up to the last number given, and a gap stands only
// where something was lost.
func (m *model) Check(t *rapid.T) {
	if st := m.s.Stats(); st.Bytes > MinMaxBytes {
		t.Fatalf("%d bytes, bound %d", st.Bytes, int64(MinMaxBytes))
	}
	for _, e := range m.s.epochs {
		m.compressed += e.compressed()
	}
	open := map[string]bool{}
	for _, epoch := range m.s.Epochs() {
		open[epoch] = true
		after, gaps := m.acked[epoch], 0
		for {
			recs, err := m.s.Next(epoch, after, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if len(recs) == 0 {
				break
			}
			for _, r := range recs {
				if r.First() != after+1 {
					t.Fatalf("%s: %d follows %d", epoch, r.First(), after)
				}
				if after = r.Last(); r.Gap != nil {
					gaps++
				} else if !m.written[epoch][r.First()] {
					t.Fatalf("%s: %d was never written", epoch, r.First())
				}
			}
		}
		if after != m.given[epoch] {
			t.Fatalf("%s ends at %d, want %d", epoch, after, m.given[epoch])
		}
	}
	for epoch, given := range m.given {
		if !open[epoch] && m.acked[epoch] < given {
			t.Fatalf("%s is gone at %d of %d", epoch, m.acked[epoch], given)
		}
	}
}

func TestLaws(t *testing.T) {
	dirs := t.TempDir()
	n, compressed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		m := &model{
			dir:   filepath.Join(dirs, fmt.Sprint(n)),
			given: map[string]uint64{}, acked: map[string]uint64{}, written: map[string]map[uint64]bool{},
		}
		m.reopen(t)
		defer func() { m.s.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"append": m.Append, "ack": m.Ack, "disk": m.Disk, "restart": m.Restart, "": m.Check,
		})
		compressed += m.compressed
	})
	if compressed == 0 {
		t.Error("no segment was ever compressed")
	}
}

// Whatever stands in the files, opening and reading neither panics nor leaves
// a hole.
func FuzzOpen(f *testing.F) {
	frame := func(seq uint64) []byte {
		o := observation(int(seq))
		o.Seq = max(seq, 1)
		b, _, err := encode(record(o))
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	// Each byte of the script is one record: its number, or from 128 on a gap of
	// three that begins there.
	script := func(b []byte) (out []byte) {
		for _, c := range b[:min(len(b), 64)] {
			rec, err := frame(uint64(c)), error(nil)
			if c >= 128 {
				g := &wire.Gap{First: uint64(c - 127), Last: uint64(c - 125), From: start, To: start}
				rec, _, err = encode(wire.Record{Gap: g})
			}
			if err != nil {
				f.Fatal(err)
			}
			out = append(out, rec...)
		}
		return out
	}
	f.Add([]byte{1, 2, 3}, []byte{5, 6}, []byte{}, mark{Acked: 1, Counter: 3}.encode())
	f.Add([]byte{1, 2, 9, 3}, []byte{5, 5, 6}, []byte{}, []byte{})
	f.Add([]byte{}, []byte{131, 7, 8}, frame(1)[:40], []byte("x"))
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8}, []byte{5, 6}, make([]byte, 64), mark{Acked: 1 << 63, Tail: markGap{First: 4, Last: 5}}.encode())
	f.Fuzz(func(t *testing.T, first, second, tail, mark []byte) {
		dir := t.TempDir()
		e1 := filepath.Join(dir, "e1")
		if err := os.Mkdir(e1, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{
			segmentName(1): script(first), segmentName(5): append(script(second), tail...), markFile: mark,
		} {
			if err := os.WriteFile(filepath.Join(e1, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, dir, "e2")
		if s.Epochs()[0] != "e1" {
			return
		}
		drain(t, s, "e1", s.epochs[0].mark.Acked)
		if err := s.Ack("e1", ^uint64(0)); err != nil {
			t.Fatal(err)
		}
		if got := len(s.Epochs()); got != 1 {
			t.Errorf("%d epochs after everything was acknowledged", got)
		}
	})
}

func FuzzDecodeMark(f *testing.F) {
	f.Add(mark{Counter: 1, Acked: 2, Head: markGap{1, 2, 3, 4}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := decodeMark(b)
		if ok && string(m.encode()) != string(b[:len(m.encode())]) {
			t.Errorf("%+v is not what was read", m)
		}
	})
}
