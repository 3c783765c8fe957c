package replay

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// maxAside is how many late items are held in memory; more are put into a file.
const maxAside = 1 << 16

// aside keeps the items that came too late for their hour. It is not safe for use from
// several goroutines.
type aside struct {
	hours map[int64]*pile
	// held is how many are in memory, most as many as may be.
	held, most int
	// file holds the others; it has no name any more.
	file *os.File
	end  int64
}

// pile is what is kept of one hour.
type pile struct {
	late  []late
	parts []part
}

// part is where in the file some of them are.
type part struct{ at, size int64 }

// late is an item with the number of its course.
type late struct {
	Course int
	Item   item
}

func (a *aside) empty() bool { return len(a.hours) == 0 }

// put keeps an item of an hour.
func (a *aside) put(hour int64, l late) error {
	p := a.hours[hour]
	if p == nil {
		p = new(pile)
		a.hours[hour] = p
	}
	p.late = append(p.late, l)
	if a.held++; a.held < a.most {
		return nil
	}
	if err := a.write(); err != nil {
		return fmt.Errorf("put late observations aside: %w", err)
	}
	return nil
}

// write moves what is in memory into the file.
func (a *aside) write() (err error) {
	if a.file == nil {
		if a.file, err = os.CreateTemp("", "varde-replay-*"); err != nil {
			return err
		}
		// Whatever becomes of this process, nothing stays behind.
		if err := os.Remove(a.file.Name()); err != nil {
			return err
		}
	}
	for _, hour := range slices.Sorted(maps.Keys(a.hours)) {
		p := a.hours[hour]
		if len(p.late) == 0 {
			continue
		}
		w := io.NewOffsetWriter(a.file, a.end)
		if err := gob.NewEncoder(w).Encode(p.late); err != nil {
			return err
		}
		size, err := w.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		p.parts = append(p.parts, part{a.end, size})
		p.late = nil
		a.end += size
	}
	a.held = 0
	return nil
}

// before are the hours up to the given one of which there is something, in order.
func (a *aside) before(hour int64) []int64 {
	var out []int64
	for h := range a.hours {
		if h <= hour {
			out = append(out, h)
		}
	}
	slices.Sort(out)
	return out
}

// take returns what was kept of an hour, by course, and forgets it.
func (a *aside) take(hour int64) (map[int][]item, error) {
	p := a.hours[hour]
	if p == nil {
		return nil, nil
	}
	delete(a.hours, hour)
	a.held -= len(p.late)
	out := make(map[int][]item)
	sort := func(list []late) {
		for _, l := range list {
			out[l.Course] = append(out[l.Course], l.Item)
		}
	}
	sort(p.late)
	for _, at := range p.parts {
		var list []late
		if err := gob.NewDecoder(io.NewSectionReader(a.file, at.at, at.size)).Decode(&list); err != nil {
			return nil, fmt.Errorf("read late observations: %w", err)
		}
		sort(list)
	}
	return out, nil
}

// close gives the file back.
func (a *aside) close() error {
	if a.file == nil {
		return nil
	}
	if err := a.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
