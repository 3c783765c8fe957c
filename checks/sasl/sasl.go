// Package sasl makes what a client says first when it logs in: IMAP, SMTP and
// POP3 each put the same words into their own envelope (RFC 4422).
package sasl

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"varde/checks"
)

// Names of the mechanisms as servers list them.
const (
	Plain       = "PLAIN"
	XOAUTH2     = "XOAUTH2"
	OAuthBearer = "OAUTHBEARER"
)

// Name returns the mechanism as servers list it; empty for LOGIN, which is none
// of SASL's, and where none is asked for.
func Name(m checks.Mechanism) string {
	if m == checks.MechanismLogin {
		return ""
	}
	return strings.ToUpper(string(m))
}

// Choose returns the mechanism by which to log in at a server that offers the
// given ones, in upper case: the one asked for, else PLAIN, else LOGIN, which
// hasLogin says to be there. It is a failure of class auth_rejected if there is
// none.
func Choose(asked checks.Mechanism, offered []string, hasLogin bool) (checks.Mechanism, error) {
	plain := slices.Contains(offered, Plain)
	switch {
	case asked == checks.MechanismLogin && hasLogin, asked == "" && !plain && hasLogin:
		return checks.MechanismLogin, nil
	case asked == "" && plain:
		return checks.MechanismPlain, nil
	case asked != "" && asked != checks.MechanismLogin && slices.Contains(offered, Name(asked)):
		return asked, nil
	}
	wanted := strings.ToUpper(string(asked))
	if asked == "" {
		wanted = "PLAIN or LOGIN"
	}
	return "", checks.Fail(checks.AuthRejected, "the server offers the mechanisms %q, expected %s", offered, wanted)
}

// Initial returns the initial response of a SASL mechanism in base64, ready to
// be sent. It is as secret as the password.
func Initial(m checks.Mechanism, c checks.Credentials, at checks.Endpoint) string {
	var words string
	switch m {
	case checks.MechanismXOAUTH2:
		words = fmt.Sprintf("user=%s\x01auth=Bearer %s\x01\x01", c.User, c.Password)
	case checks.MechanismOAuthBearer: // RFC 7628 section 3.1
		name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(c.User)
		words = fmt.Sprintf("n,a=%s,\x01host=%s\x01port=%d\x01auth=Bearer %s\x01\x01", name, at.Host, at.Port, c.Password)
	default: // RFC 4616
		words = "\x00" + c.User + "\x00" + c.Password
	}
	return Encode(words)
}

// Secrets returns what nobody may be shown of a login, for
// [checks.Recorder.Hide]: the password and the initial response in which it
// stands. A server that has heard them once may say them at any time, so they are
// hidden before it is asked. Without a login there are none.
func Secrets(as *checks.Credentials, at checks.Endpoint) []string {
	if as == nil {
		return nil
	}
	return []string{as.Password, Initial(as.Mechanism, *as, at)}
}

// Cancel is what a client says to the words with which a server refuses a bearer
// token: one byte 0x01 (RFC 7628 section 3.2.3), which XOAUTH2 takes too.
func Cancel() string { return Encode("\x01") }

// Encode returns words in base64, as SASL sends them.
func Encode(words string) string { return base64.StdEncoding.EncodeToString([]byte(words)) }

// Bearer says whether a mechanism shows a bearer token, so that a refusal comes
// as words first, to be answered by [Cancel].
func Bearer(m checks.Mechanism) bool {
	return m == checks.MechanismXOAUTH2 || m == checks.MechanismOAuthBearer
}

// Decode returns the words that a server has sent in base64; empty if they are
// none.
func Decode(words string) string {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(words))
	if err != nil {
		return ""
	}
	return string(b)
}
