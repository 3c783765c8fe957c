package uplink

import "fmt"

// flow is where we are with one epoch: what was sent, what was acknowledged,
// and what may be sent next. The coordinator answers every batch with exactly
// one mark, in order, and so it does with the question for the mark that comes
// first.
type flow struct {
	epoch  string
	window int
	// asked and resumed say that the first mark was asked for and came.
	asked, resumed bool
	// next is the number after which to go on.
	next uint64
	// flight holds the last number of each batch that was not answered.
	flight []uint64
	// back is set when a batch was answered by a mark below it, until those sent
	// after it are answered too. stuck is the mark from which all was sent again
	// last, nil when something was acknowledged since.
	back  bool
	stuck *uint64
}

// open says whether a batch may be sent.
func (f *flow) open() bool { return f.resumed && !f.back && len(f.flight) < f.window }

// waiting says whether an answer is to come.
func (f *flow) waiting() bool { return f.asked && !f.resumed || len(f.flight) > 0 }

// sent notes a batch.
func (f *flow) sent(last uint64) {
	f.flight = append(f.flight, last)
	f.next = last
}

// mark takes an answer, and reports whether to send again from the mark. When
// that has to be done twice from the same place something is wrong with the
// coordinator or with us, and repeating will not help.
func (f *flow) mark(seq uint64) (back bool, err error) {
	if !f.resumed {
		f.resumed, f.next = true, seq
		return false, nil
	}
	if len(f.flight) == 0 {
		return false, fmt.Errorf("coordinator sent a mark that nobody asked for: %s %d", f.epoch, seq)
	}
	last := f.flight[0]
	f.flight = f.flight[1:]
	if seq >= last {
		f.stuck = nil
	}
	f.back = f.back || seq < last
	if !f.back || len(f.flight) > 0 {
		return false, nil
	}
	if f.stuck != nil && *f.stuck == seq {
		return false, fmt.Errorf("coordinator does not take what follows its mark: %s %d", f.epoch, seq)
	}
	f.back, f.next, f.stuck = false, seq, &seq
	return true, nil
}
