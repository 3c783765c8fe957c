package checks_test

import (
	"testing"

	"varde/checks"
)

// TestOthers: what a plan says is bounded, whoever signed it.
func TestOthers(t *testing.T) {
	for _, c := range []struct {
		confirm *checks.Others
		want    int
	}{{nil, 3}, {new(checks.Others(0)), 0}, {new(checks.Others(5)), 5}, {new(checks.Others(8)), 8}, {new(checks.Others(9)), 8}, {new(checks.Others(-1)), 0}} {
		if got := (checks.Target{Confirm: c.confirm}).Others(); got != c.want {
			t.Errorf("got %d, want %d", got, c.want)
		}
	}
}

func TestOthersAreRead(t *testing.T) {
	for text, want := range map[string]checks.Others{"0": 0, "5": 5, "8": 8} {
		var o checks.Others
		if err := o.UnmarshalText([]byte(text)); err != nil || o != want {
			t.Errorf("%s: got %d, %v", text, o, err)
		}
	}
	for _, text := range []string{"", "9", "-1", "3.0", "all", "300"} {
		o := checks.Others(4)
		if err := o.UnmarshalText([]byte(text)); err == nil || err.Error() != "a number from 0 to 8" || o != 4 {
			t.Errorf("%q: got %d, %v", text, o, err)
		}
	}
}
