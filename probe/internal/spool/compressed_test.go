package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"varde/checks"
	"varde/proto/wire"
)

// Any record that can be read from a plain segment is the same when its numbers
// were taken out and put in again.
func TestNumbersComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var taking, putting, passing extractor
		for seq := uint64(1); seq < 5; seq++ {
			o := observation(int(seq))
			o.Seq = seq
			far := rapid.Int64Range(-62135596800, 253402300799) // years 1 to 9999
			near := rapid.Int64Range(1<<30, 1<<31)
			o.Scheduled = time.Unix(rapid.OneOf(far, near).Draw(t, "scheduled"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).UTC()
			o.Started = time.Unix(rapid.OneOf(far, near).Draw(t, "started"), 1).UTC()
			any := rapid.Int64Range(0, math.MaxInt64)
			o.Every, o.Elapsed = time.Duration(any.Draw(t, "every")), time.Duration(any.Draw(t, "elapsed"))
			o.Phases = nil
			for range rapid.IntRange(0, 16).Draw(t, "phases") {
				o.Phases = append(o.Phases, checks.PhaseTiming{Name: checks.TLS, Duration: time.Duration(any.Draw(t, "phase"))})
			}
			_, want, err := encode(record(o))
			if err != nil {
				t.Fatal(err)
			}
			got := want
			got.Observation.Phases = slices.Clone(want.Observation.Phases)
			b := taking.take(&got)
			if _, got, err = encode(got); err != nil {
				t.Fatalf("without its numbers: %v", err)
			}
			if b != nil {
				if (&extractor{}).put(&got, seq, append(b[:len(b):len(b)], 0)) == nil || (&extractor{}).put(&got, seq, b[:len(b)-1]) == nil {
					t.Fatal("took too much or too little")
				}
				if err := putting.put(&got, seq, b); err != nil {
					t.Fatal(err)
				}
				if err := passing.pass(b); err != nil || passing != putting {
					t.Fatalf("passed to %v, %v, want %v", passing, err, putting)
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		}
	})
}

// forge writes a compressed segment of the given stream, with sums that are
// right.
func forge(t testing.TB, s summary, stream []byte, window int) []byte {
	t.Helper()
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
	if err == nil {
		_, err = z.Write(stream)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	s.Sum = crc32.Checksum(packed.Bytes(), castagnoli())
	return append(encodeFixed(compressedMagic, s), packed.Bytes()...)
}

// entry is the number-th observation as it stands in a compressed segment.
func entry(t testing.TB, number int) []byte {
	t.Helper()
	o := observation(number)
	o.Seq = 1
	r := record(o)
	taken := new(extractor).take(&r)
	rest, _, err := wire.MarshalRecord(r)
	if err != nil {
		t.Fatal(err)
	}
	b := append(binary.AppendUvarint(nil, uint64(len(rest))), rest...)
	return append(binary.AppendUvarint(b, uint64(len(taken))), taken...)
}

// left makes a folder with one segment of epoch e1.
func left(t testing.TB, segment []byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "e1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "e1", segmentName(1)), segment, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A file that expands to more than a segment can have been costs no more than
// one that does not.
func TestBomb(t *testing.T) {
	one := entry(t, 1)
	many := bytes.Repeat(one, 32<<20/len(one))
	for name, c := range map[string]struct {
		stream []byte
		window int
		ten    string // what is read of the beginning
	}{
		"observations": {many, window, numbers(1, 10)},
		"zeros":        {make([]byte, 256<<20), window, "[1-1000000000]"},
		"length":       {binary.AppendUvarint(nil, math.MaxUint64), window, "[1-1000000000]"},
		"window":       {many, 32 << 20, "[1-1000000000]"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, left(t, forge(t, summary{First: 1, Last: 1e9}, c.stream, c.window)), "e2")
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			recs, err := s.Next("e1", 0, 10)
			if got := show(recs); err != nil || got != c.ten {
				t.Errorf("got %s, %v, want %s", got, err, c.ten)
			}
			// There is more in the stream, but never was in a segment.
			recs, err = s.Next("e1", uint64(maxExpanded/len(one)), 10)
			if err != nil || len(recs) != 1 || recs[0].Gap == nil {
				t.Errorf("got %s, %v, want a gap", show(recs), err)
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
				t.Errorf("took %d bytes of memory", got)
			}
		})
	}
}

func FuzzCompressed(f *testing.F) {
	f.Add([]byte{}, uint64(1), uint64(1))
	f.Add(slices.Concat(entry(f, 1), entry(f, 2), entry(f, 3)), uint64(1), uint64(3))
	f.Add(slices.Concat(entry(f, 1), []byte{0, 0}), uint64(4), uint64(9))
	f.Fuzz(func(t *testing.T, stream []byte, first, last uint64) {
		b := forge(t, summary{First: first, Last: last}, stream, window)
		for _, segment := range [][]byte{b, append(b[:len(b):len(b)], 1), append(encodeFixed(compressedMagic, summary{First: first, Last: last}), stream...)} {
			s := open(t, left(t, segment), "e2")
			if s.Epochs()[0] != "e1" {
				continue
			}
			drain(t, s, "e1", s.epochs[0].mark.Acked)
		}
	})
}

// BenchmarkReadCompressed is what an uplink does that catches up: a thousand
// observations out of the middle of a segment.
func BenchmarkReadCompressed(b *testing.B) {
	g := oneSegment(b)
	packed, err := g.compress()
	if err != nil {
		b.Fatal(err)
	}
	s := openQuietly(b, left(b, packed), "e2")
	b.Cleanup(func() { s.Close() })
	b.ReportAllocs()
	for b.Loop() {
		if recs, err := s.Next("e1", 1000, 1000); err != nil || len(recs) < 1000 {
			b.Fatal(len(recs), err)
		}
	}
}

// What only an old epoch's last segment knew of itself is known of the gap that
// it leaves, also after a second restart.
func TestDamagedLastSegmentIsAGap(t *testing.T) {
	g := oneSegment(t)
	packed, err := g.compress()
	if err != nil {
		t.Fatal(err)
	}
	packed[len(packed)/2] ^= 1
	dir := left(t, packed)
	for _, epoch := range []string{"e2", "e3"} {
		s := open(t, dir, epoch)
		recs := drain(t, s, "e1", 0)
		if got, want := show(recs), fmt.Sprintf("[1-%d]", g.last); got != want {
			t.Fatalf("%s: got %s, want %s", epoch, got, want)
		}
		if gap := recs[0].Gap; !gap.From.Equal(g.from) || !gap.To.Equal(g.to) {
			t.Errorf("%s: gap from %s to %s, want %s to %s", epoch, gap.From, gap.To, g.from, g.to)
		}
		if segs, _ := segmentPaths(filepath.Join(dir, "e1")); len(segs) != 0 {
			t.Errorf("left over: %v", segs)
		}
		s.Close()
	}
}
