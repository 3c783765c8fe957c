package wire

// Entries reads entries of the journal one after the other, each into the memory of the
// one before, and keeps one copy of each name of all of them. The zero value is ready.
// It is not safe for use from several goroutines.
type Entries struct{ d direct }

// maxKept bounds each kind of names that are kept: more than any fleet has.
const maxKept = 1 << 14

// Read reads an entry as [UnmarshalEntry] does. What it returned before is overwritten,
// but for texts and for what servers showed.
func (e *Entries) Read(data []byte) ([]Batch, error) {
	e.d.again()
	if out, ok := e.d.entry(data); ok {
		return out, nil
	}
	return readEntry(data)
}

// again has the memory of one entry used for the next.
func (d *direct) again() {
	d.records.again()
	d.phases.again()
	for _, names := range []map[string]string{d.ids, d.words, d.texts} {
		if len(names) > maxKept {
			clear(names)
		}
	}
	if len(d.shown) > maxKept {
		clear(d.shown)
	}
}

// room is memory for lists, given away piece by piece.
type room[T any] struct {
	all, free []T
	// taken is how much was given away since it was empty.
	taken int
}

// reserve has the next pieces, of n together, come from one piece of memory.
func (r *room[T]) reserve(n int) {
	if len(r.free) < n {
		r.free = make([]T, n)
	}
}

// take gives a list of n away, in which anything may stand.
func (r *room[T]) take(n int) []T {
	r.reserve(n)
	list := r.free[:n:n]
	r.free, r.taken = r.free[n:], r.taken+n
	return list
}

// again takes everything back.
func (r *room[T]) again() {
	if len(r.all) < r.taken {
		r.all = make([]T, r.taken+r.taken/4)
	}
	r.free, r.taken = r.all, 0
}
