package verdict

import (
	"fmt"
	"slices"
)

// State is what a region says of a check. The order is that of gravity: where
// several series are shown as one, the largest stands.
type State uint8

// The states. Unknown is the zero value: what nobody judged claims nothing.
const (
	Unknown State = iota
	Up
	Slow
	Intermittent
	Down
)

// States is the number of states, for arrays that are indexed by one.
const States = int(Down) + 1

var stateNames = [States]string{
	Unknown: "unknown", Up: "up", Slow: "slow", Intermittent: "intermittent", Down: "down",
}

// String returns "unknown", "up", "slow", "intermittent" or "down".
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("invalid(%d)", uint8(s))
}

// MarshalText writes the state as in JSON.
func (s State) MarshalText() ([]byte, error) {
	if int(s) >= len(stateNames) {
		return nil, fmt.Errorf("state %d is out of range", uint8(s))
	}
	return []byte(stateNames[s]), nil
}

// UnmarshalText reads what MarshalText writes and refuses anything else.
func (s *State) UnmarshalText(b []byte) error {
	i := slices.Index(stateNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("state %q is not one of %q", b, stateNames)
	}
	*s = State(i)
	return nil
}
