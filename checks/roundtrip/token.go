package roundtrip

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"varde/checks"
)

// KeySize is the length of the key that signs tokens, in bytes. Only the probe
// that made it has it.
const KeySize = 32

// A token is ID.probe.check.mac, all of it letters that no server changes. The
// signature also covers when the mail was written and to whom.
type token struct {
	id, probe, check, mac string
}

// macDigits is the length of the signature in a token: half of SHA-256 is as
// much as RFC 2104 section 5 asks for.
const macDigits = 32

var idPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// newID returns a name that nobody can guess.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never returns an error
	return hex.EncodeToString(b[:])
}

// sign makes the token of a mail.
func sign(key []byte, m Mail) string {
	t := token{id: m.ID, probe: m.Probe, check: m.Check}
	t.mac = t.sign(key, m.Written, m.To)
	return t.String()
}

func (t token) sign(key []byte, written time.Time, to string) string {
	h := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(h, "%s\n%s\n%s\n%d\n%s", t.id, t.probe, t.check, written.UnixNano(), strings.ToLower(to)) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil))[:macDigits]
}

// String is the token as it stands in a header.
func (t token) String() string { return strings.Join([]string{t.id, t.probe, t.check, t.mac}, ".") }

// parseToken reads what String writes and nothing else.
func parseToken(s string) (token, bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return token{}, false
	}
	t := token{parts[0], parts[1], parts[2], parts[3]}
	return t, idPattern.MatchString(t.id) && idPattern.MatchString(t.mac) && checks.ValidID(t.probe) && checks.ValidID(t.check)
}

// signedBy says whether the token was made with the key.
func (t token) signedBy(key []byte, written time.Time, to string) bool {
	return hmac.Equal([]byte(t.mac), []byte(t.sign(key, written, to)))
}

// stamp is a time as a header has it, in nanoseconds since 1970.
func stamp(at time.Time) string { return strconv.FormatInt(at.UnixNano(), 10) }

// parseStamp reads what stamp writes.
func parseStamp(s string) (time.Time, bool) {
	ns, err := strconv.ParseInt(s, 10, 64)
	if err != nil || ns <= 0 || strconv.FormatInt(ns, 10) != s {
		return time.Time{}, false
	}
	return time.Unix(0, ns), true
}
