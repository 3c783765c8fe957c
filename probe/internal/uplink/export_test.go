package uplink

import "time"

// Pause is how long to wait after the n-th failure.
func Pause(n int, r float64) time.Duration { return pause(n, r) }

// SetRandom replaces the source of random pauses.
func (u *Uplink) SetRandom(r func() float64) { u.random = r }

// NoAnswer is the error that names all coordinators.
var NoAnswer = noAnswer

// Flow is where the uplink is with one epoch.
type Flow struct{ f flow }

// NewFlow begins an epoch whose mark was asked for.
func NewFlow(epoch string, window int) *Flow {
	return &Flow{flow{epoch: epoch, window: window, asked: true}}
}

// Open says whether to send, Next from where, Sent that it was done.
func (f *Flow) Open() bool       { return f.f.open() }
func (f *Flow) Next() uint64     { return f.f.next }
func (f *Flow) Sent(last uint64) { f.f.sent(last) }
func (f *Flow) Waiting() bool    { return f.f.waiting() }

// Mark takes an answer.
func (f *Flow) Mark(seq uint64) (bool, error) { return f.f.mark(seq) }
