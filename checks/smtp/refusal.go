package smtp

import (
	"strings"

	"varde/checks"
)

// refused is the failure of a reply that was not the one hoped for.
func refused(p checks.Phase, r reply) error {
	return checks.Fail(classify(p, r), "%s", r)
}

// classify names what an unwelcome reply means in a phase. 421 may come at any
// point and always means that the server is going away (RFC 5321 3.8).
func classify(p checks.Phase, r reply) checks.Class {
	policy := r.status().subject == ofPolicy
	switch {
	case r.code == 421:
		return checks.Busy
	case p == checks.Greeting:
		return greetingClass(r)
	case p == checks.Auth:
		return authClass(r)
	case r.code == 530:
		return unpreparedClass(r)
	case p == checks.Submit:
		return submitClass(r)
	case policy && r.kind() == 5, p == checks.Capability && (r.code == 550 || r.code == 554):
		return checks.Policy // RFC 3463 3.8: security or policy
	case p == checks.StartTLS:
		return checks.TLSError
	case r.kind() == 4:
		return checks.Busy
	}
	return checks.ProtocolError
}

func greetingClass(r reply) checks.Class {
	switch r.kind() {
	case 4:
		return checks.Busy
	case 5:
		return checks.Policy // it does not serve us; whether others, we cannot tell
	}
	return checks.GreetingError
}

// authClass names the refusal of a login (RFC 4954 section 6).
func authClass(r reply) checks.Class {
	s := r.status()
	switch {
	case r.kind() == 4 && r.says("too many login"): // Gmail, of one account
		return checks.Policy
	case r.kind() == 4:
		return checks.AuthTempfail
	case r.kind() != 5, r.code <= 504:
		return checks.ProtocolError // it offered what it does not do
	case (r.code == 550 || r.code == 554) && s.subject == ofPolicy && s.detail != 8:
		return checks.Policy
	}
	return checks.AuthRejected
}

// unpreparedClass names a 530. It asks for a login that the check does not
// have, which is our fault, or for STARTTLS (RFC 3207 section 4), which would
// be in use if it were offered.
func unpreparedClass(r reply) checks.Class {
	if r.says("starttls") {
		return checks.TLSError
	}
	return checks.OwnError
}

// submitClass names the refusal of a mail between two addresses of ours. The
// status stands over the code, since a server has many reasons for a 550:
//
//   - of the address or the mailbox (x.1.z, x.2.z): a mailbox of ours that does
//     not exist or is full looks the same whether we have it wrong or the server
//     has lost it. As with a refused password, it is for a person to say.
//   - of security or policy (x.7.z): the server refuses us, now or for ever.
//   - of the content (x.6.z): what we said was wrong.
//   - of its system or its network (x.3.z, x.4.z): the server cannot.
//
// Where the status says nothing, a 5yz that is about the mail (RFC 5321 4.2.2,
// x5z) may be any of the first two, and one that is about the command breaks the
// protocol. So may a 550 of Exchange and Outlook, which write 5.4.1 and 5.5.0 for
// a mailbox that they do not have.
func submitClass(r reply) checks.Class {
	s := r.status()
	switch {
	case r.kind() < 4:
		return checks.ProtocolError
	case s.subject == ofAddress, s.subject == ofMailbox && s != mailboxBusy(), s.subject == ofContent:
		return checks.OwnError
	case s.subject == ofPolicy:
		return checks.Policy
	case r.code == 550 && s.subject != ofSystem, r.kind() == 5 && s.subject == 0 && r.code/10%10 == 5, r.code == 521, r.code == 556:
		return checks.Policy
	case s.subject == ofSystem, s.subject == ofNetwork, r.kind() == 4:
		return checks.Busy
	}
	return checks.ProtocolError
}

// mailboxBusy is a mailbox that takes nothing for now (RFC 3463 3.3).
func mailboxBusy() status { return status{4, ofMailbox, 1} }

// greylisted says whether a server asks us to come again later because it does
// not know us yet (RFC 6647): code and status as postgrey, rspamd and Postfix
// have them, postscreen's to a client that it has just put to the test, or the
// word.
func (r reply) greylisted() bool {
	if r.code != 450 && r.code != 451 {
		return false
	}
	s := r.status()
	return s == status{4, ofPolicy, 1} || s == status{4, ofMailbox, 0} || r.says("450 4.3.2 service currently unavailable") ||
		r.says("greylist") || r.says("graylist")
}

// says is whether words, in lower case, stand in a reply.
func (r reply) says(words string) bool {
	return strings.Contains(strings.ToLower(r.String()), words)
}
