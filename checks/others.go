package checks

import (
	"errors"
	"strconv"
)

// Others is how many other probes of a region are asked to look too after a failure,
// from 0 to MaxOthers.
type Others int

// How many others are asked. MaxOthers protects the world from a stolen coordinator.
const (
	DefaultOthers Others = 3
	MaxOthers     Others = 8
)

// UnmarshalText reads a number from 0 to MaxOthers. Its error says what is expected.
func (o *Others) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 8)
	if err != nil || Others(n) > MaxOthers {
		return errors.New("a number from 0 to " + strconv.Itoa(int(MaxOthers)))
	}
	*o = Others(n)
	return nil
}

// Others is how many others are asked when the target fails, DefaultOthers if the
// target does not say, and never more than MaxOthers.
func (t Target) Others() int {
	if t.Confirm == nil {
		return int(DefaultOthers)
	}
	return int(min(max(*t.Confirm, 0), MaxOthers))
}
