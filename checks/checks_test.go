package checks

import "testing"

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.25:993":               "192.0.2.0/24",
		"[2001:db8:1:2::25]:993":       "2001:db8:1::/48",
		"[::ffff:192.0.2.25]:993":      "192.0.2.0/24",
		"[fe80::1%eth0]:993":           "fe80::/48",
		"":                             "",
		"mail.example.net:993":         "",
		"192.0.2.25":                   "",
		"[2001:db8:1:2::25]:993 extra": "",
	} {
		if got := (Observation{Result: Result{Address: address}}).Network(); got != want {
			t.Errorf("%q: got %q, want %q", address, got, want)
		}
	}
}
