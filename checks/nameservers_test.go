package checks

import (
	"fmt"
	"strings"
	"testing"
)

func TestNameServers(t *testing.T) {
	for file, want := range map[string]string{
		"":           "[127.0.0.1:53]",
		"search x\n": "[127.0.0.1:53]",
		"# a\nnameserver 192.0.2.53\n\tnameserver  2001:db8::53 # b\noptions edns0":      "[192.0.2.53:53 [2001:db8::53]:53]",
		"nameserver fe80::1%eth0\nnameserver ::ffff:192.0.2.1\nnameserver x\nnameserver": "[[fe80::1%eth0]:53 192.0.2.1:53]",
		strings.Repeat("\n", resolverMax) + "nameserver 192.0.2.53":                      "[127.0.0.1:53]",
		strings.Repeat("x", 1<<17): "[127.0.0.1:53]",
	} {
		if got := fmt.Sprint(nameServers(strings.NewReader(file))); got != want {
			t.Errorf("%.40q: got %s, want %s", file, got, want)
		}
	}
}
