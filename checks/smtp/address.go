package smtp

import "strings"

// The longest address and the longest part before its @, in bytes (RFC 5321
// 4.5.3.1, and the erratum that takes the angle brackets off its path).
const (
	addressMax = 254
	localMax   = 64
)

// ValidAddress says whether s can stand in an envelope: a plain local part, one
// @, and a domain, all in ASCII. It takes less than RFC 5321 allows (no quotes,
// no address literals), so that nothing in it can be read as a command.
func ValidAddress(s string) bool {
	local, domain, found := strings.Cut(s, "@")
	return found && len(s) <= addressMax && local != "" && len(local) <= localMax &&
		!strings.ContainsFunc(local, func(r rune) bool { return !alphanumeric(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", r) }) &&
		validDomain(domain)
}

// validDomain says whether s can be a domain: letters, digits, hyphens,
// underscores and dots.
func validDomain(s string) bool {
	return s != "" && len(s) <= 253 &&
		!strings.ContainsFunc(s, func(r rune) bool { return !alphanumeric(r) && !strings.ContainsRune("-_.", r) })
}

func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
