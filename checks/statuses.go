package checks

import (
	"fmt"
	"strconv"
	"strings"
)

// Statuses is a set of HTTP statuses as people write it: "200", "200-299, 304"
// or "2xx". The empty set is 200 alone.
type Statuses string

// Contain says whether the status is in the set. A set that Validate refuses
// contains nothing.
func (s Statuses) Contain(status int) bool {
	if s == "" {
		return status == 200
	}
	for part := range strings.SplitSeq(string(s), ",") {
		from, to, err := statusRange(strings.TrimSpace(part))
		if err == nil && from <= status && status <= to {
			return true
		}
	}
	return false
}

// Validate returns the first part of the set that is none.
func (s Statuses) Validate() error {
	if s == "" {
		return nil
	}
	for part := range strings.SplitSeq(string(s), ",") {
		if _, _, err := statusRange(strings.TrimSpace(part)); err != nil {
			return err
		}
	}
	return nil
}

// UnmarshalText takes the words as they are; Validate judges them.
func (s *Statuses) UnmarshalText(b []byte) error {
	*s = Statuses(b)
	return nil
}

// statusRange reads "200", "200-299" or "2xx".
func statusRange(part string) (from, to int, err error) {
	if len(part) == 3 && strings.HasSuffix(part, "xx") {
		part = part[:1] + "00-" + part[:1] + "99"
	}
	low, high, ranged := strings.Cut(part, "-")
	if !ranged {
		high = low
	}
	from, errFrom := strconv.Atoi(low)
	to, errTo := strconv.Atoi(high)
	if errFrom != nil || errTo != nil || from < 200 || to > 599 || from > to {
		return 0, 0, fmt.Errorf("%.32q, expected statuses of 200 to 599 such as 200, 2xx or 200-299", part)
	}
	return from, to, nil
}
