package page

import (
	"net"
	"strings"
)

// Host is the name or address in a Host header or in the host of a URL, as it is
// compared: in lower case, without port, brackets and the dot of the root.
func Host(header string) string {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}
