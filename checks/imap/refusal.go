package imap

import (
	"slices"
	"strings"

	"varde/checks"
)

// meaning is what a response code (RFC 5530 section 3) says of a refusal.
type meaning uint8

const (
	unsaid   meaning = iota
	rejected         // the account or its password
	policy           // the server does not serve us now, or asks for a person
	trouble          // the server cannot
	ours             // we asked for what we should not have
)

func (r response) meaning() meaning {
	switch r.code {
	case "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED":
		return rejected
	case "LIMIT", "INUSE", "CONTACTADMIN":
		return policy
	case "ALERT": // words for a person; what BYE means stands in the word
		if r.word != "BYE" {
			return policy
		}
	case "UNAVAILABLE", "SERVERBUG", "CORRUPTION", "TEMPFAIL":
		return trouble
	case "CLIENTBUG", "OVERQUOTA", "NONEXISTENT", "NOPERM", "CANNOT", "ALREADYEXISTS", "TRYCREATE":
		return ours
	}
	return r.said()
}

// said is what a refusal without a code of RFC 5530 means by its words, as those
// servers have them that users meet often.
func (r response) said() meaning {
	for words, m := range map[string]meaning{
		"Request is throttled":                    policy,  // Exchange
		"Server Unavailable":                      trouble, // Exchange
		"User is authenticated but not connected": trouble, // Exchange
		"System Error":                            trouble, // Gmail
		"Temporary ":                              trouble, // Dovecot 1, Courier
		"Mailbox doesn't exist":                   ours,    // Dovecot
		"Mailbox does not exist":                  ours,    // Cyrus
	} {
		if strings.HasPrefix(r.text, words) {
			return m
		}
	}
	return unsaid
}

// refused is the failure of a response that was not the one hoped for.
func refused(p checks.Phase, r response) error {
	return checks.Fail(classify(p, r), "%s", r)
}

// classify names what NO, BAD or BYE means in a phase. What the server says in
// a code stands over what the word alone would mean.
func classify(p checks.Phase, r response) checks.Class {
	m := r.meaning()
	before := slices.Contains([]checks.Phase{checks.Greeting, checks.StartTLS, checks.Capability, checks.Auth}, p)
	switch {
	case m == policy:
		return checks.Policy
	case p == checks.Auth && m == rejected:
		return checks.AuthRejected
	case r.word == "BYE" && before:
		return checks.Busy
	case r.word == "BYE":
		return checks.Closed
	case m == ours:
		return checks.OwnError
	case p == checks.Auth:
		return authClass(r, m)
	case p == checks.StartTLS:
		return checks.TLSError
	case m == rejected:
		return checks.OwnError // of a mailbox, not of a login
	case r.word == "NO" || m == trouble:
		return checks.Busy
	}
	return checks.ProtocolError
}

// authClass names the refusal of a login. A NO without a code is what servers
// older than RFC 5530 say to a wrong password.
func authClass(r response, m meaning) checks.Class {
	switch {
	case m == trouble:
		return checks.AuthTempfail
	case r.word == "NO":
		return checks.AuthRejected
	}
	return checks.ProtocolError
}
