// Package presence says in few words whether a probe is there and whether it may
// judge others. Commands, pages and API use the same words.
package presence

import (
	"fmt"

	"varde/proto/wire"
)

// State is whether a probe is there.
type State uint8

// The states.
const (
	// Silent has joined and does not report now; when it was last seen says
	// whether it ever did.
	Silent State = iota
	// Connected reports now.
	Connected
	// Invited has a token and has not joined.
	Invited
	// Expired has a token that nobody used in time.
	Expired
)

// words are the names of the states.
func words() [4]string {
	return [...]string{Silent: "silent", Connected: "connected", Invited: "invited", Expired: "expired"}
}

// String returns "silent", "connected", "invited" or "expired".
func (s State) String() string {
	if w := words(); int(s) < len(w) {
		return w[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MarshalText writes the word.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word. Any other is an error.
func (s *State) UnmarshalText(text []byte) error {
	for i, w := range words() {
		if w == string(text) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("state %q, expected one of %v", text, words())
}

// Fitness answers whether a probe holds itself fit to judge: "yes", "no" or "not
// judged".
func Fitness(q wire.Qualification) string {
	switch q {
	case wire.Qualified:
		return "yes"
	case wire.Disqualified:
		return "no"
	}
	return "not judged"
}
