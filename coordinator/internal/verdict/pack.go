package verdict

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// errPacked is what a packed list says that was not written by a packer.
var errPacked = errors.New("damaged list")

// packer writes lists as small numbers: times as what lies between them, names as
// places in a table.
type packer struct {
	names []string
	b     []byte
	last  int64
}

// newPacker returns a packer with a sorted table of the names, so that equal lists
// are equal bytes.
func newPacker(names []string) *packer {
	slices.Sort(names)
	return &packer{names: slices.Compact(names)}
}

func (p *packer) number(n int64) { p.b = binary.AppendVarint(p.b, n) }

// at writes a time.
func (p *packer) at(t time.Time) {
	ns := nanos(t)
	p.number(ns - p.last)
	p.last = ns
}

// name writes a name that is in the table.
func (p *packer) name(s string) {
	i, _ := slices.BinarySearch(p.names, s)
	p.number(int64(i))
}

// done returns what was written and begins anew.
func (p *packer) done() []byte {
	b := p.b
	p.b, p.last = nil, 0
	return b
}

// unpacker reads what a packer wrote. Once something is damaged all is zero.
type unpacker struct {
	names []string
	b     []byte
	last  int64
	err   error
}

// more says whether there is something left to read.
func (u *unpacker) more() bool { return u.err == nil && len(u.b) > 0 }

func (u *unpacker) number() int64 {
	n, size := binary.Varint(u.b)
	if u.err != nil || size <= 0 {
		u.err = errPacked
		return 0
	}
	u.b = u.b[size:]
	return n
}

func (u *unpacker) at() time.Time {
	u.last += u.number()
	return instant(u.last)
}

func (u *unpacker) name() string {
	i := u.number()
	if i < 0 || i >= int64(len(u.names)) {
		u.err = errPacked
		return ""
	}
	return u.names[i]
}
