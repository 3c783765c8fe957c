package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"varde/proto/wire"
)

const (
	markFile = "mark"
	// The two slots of a mark stand a disk sector apart: a write that is cut
	// can spoil one of them only.
	markSlot  = 512
	markMagic = 0x316b6d76 // "vmk1"
)

// mark is what an epoch has to remember beside its segments. It is written in
// place, into two slots by turns, because on a full disk an acknowledgement
// must still be possible: it is what makes room.
type mark struct {
	// Counter orders the slots.
	Counter uint64
	// Acked is the last sequence number that was acknowledged.
	Acked uint64
	// FirstAt and AckedAt are the starts, in nanoseconds since 1970, of the
	// epoch's first observation and of the newest that was acknowledged.
	FirstAt, AckedAt int64
	// Head was dropped in front of the first segment, Tail could not be written
	// behind the last one; a First of 0 means none.
	Head, Tail markGap
}

type markGap struct {
	First, Last uint64
	From, To    int64
}

func toMarkGap(g *wire.Gap) markGap {
	if g == nil {
		return markGap{}
	}
	return markGap{g.First, g.Last, nanos(g.From), nanos(g.To)}
}

func (g markGap) gap() *wire.Gap {
	if g.First == 0 || g.Last < g.First {
		return nil
	}
	return &wire.Gap{First: g.First, Last: g.Last, From: fromNanos(g.From), To: fromNanos(g.To)}
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time { return time.Unix(0, n).UTC() }

func (m mark) encode() []byte { return encodeFixed(markMagic, m) }

// decodeMark reads one slot; ok is false when it was never written or is torn.
func decodeMark(slot []byte) (m mark, ok bool) {
	ok = decodeFixed(slot, markMagic, &m)
	return m, ok
}

// readMark returns the newer slot of the mark in dir, or the zero mark when
// there is none that can be read: then everything is handed out again, which
// does no harm.
func readMark(dir string) (mark, error) {
	b, err := os.ReadFile(filepath.Join(dir, markFile))
	if errors.Is(err, fs.ErrNotExist) {
		return mark{}, nil
	} else if err != nil {
		return mark{}, fmt.Errorf("read mark: %w", err)
	}
	var newest mark
	for ; len(b) > 0; b = b[min(markSlot, len(b)):] {
		if m, ok := decodeMark(b[:min(markSlot, len(b))]); ok && m.Counter >= newest.Counter {
			newest = m
		}
	}
	return newest, nil
}

// createMark makes both slots, so that later writes need no new space.
func createMark(dir string, sync bool) error {
	f, err := os.OpenFile(filepath.Join(dir, markFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create mark: %w", err)
	}
	if _, err = f.Write(make([]byte, 2*markSlot)); err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("create mark: %w", err)
	}
	return nil
}

// writeMark puts m into the slot that its counter names. With sync it is on
// disk when writeMark returns.
func writeMark(dir string, m mark, sync bool) error {
	f, err := os.OpenFile(filepath.Join(dir, markFile), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("write mark: %w", err)
	}
	if _, err = f.WriteAt(m.encode(), int64(m.Counter%2)*markSlot); err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write mark: %w", err)
	}
	return nil
}
