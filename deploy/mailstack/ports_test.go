package mailstack

import "testing"

// TestPortsAreGivenOnce holds two stacks that start side by side apart: the
// first has bound nothing yet when the second looks.
func TestPortsAreGivenOnce(t *testing.T) {
	first, second := freePorts(t), freePorts(t)
	if second <= first+portCount && first <= second+portCount {
		t.Errorf("two stacks were given ports from %d and from %d, each of %d", first, second, portCount)
	}
}
