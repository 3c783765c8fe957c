package scenario

import (
	"maps"
	"slices"

	"varde/checks"
)

// Effect is what a fault does to the runs that it hits.
type Effect string

// The effects. What they do not name goes on as before.
const (
	// ConnectTimeout, ConnectRefused and ConnectReset are how connecting ends.
	ConnectTimeout Effect = "connect_timeout"
	ConnectRefused Effect = "connect_refused"
	ConnectReset   Effect = "connect_reset"
	// TLSStall connects and says nothing in the handshake, GreetingStall nothing
	// after it, AuthStall nothing after the login.
	TLSStall      Effect = "tls_stall"
	GreetingStall Effect = "greeting_stall"
	AuthStall     Effect = "auth_stall"
	// SlowLogin answers logins two seconds late.
	SlowLogin Effect = "slow_login"
	// Busy is a server that says in its greeting that it cannot now, AuthTempfail
	// one that says so at the login.
	Busy         Effect = "busy"
	AuthTempfail Effect = "auth_tempfail"
	// Slow2s takes connections two seconds late.
	Slow2s Effect = "slow_2s"
	// HTTP503 answers with that status.
	HTTP503 Effect = "http_503"
	// Loss loses what a run needs, half of the time when it connects and else
	// after that: it hears nothing any more.
	Loss Effect = "loss"
	// MailDelay delivers test mails after they are late, MailLoss never.
	MailDelay Effect = "mail_delay"
	MailLoss  Effect = "mail_loss"
	// OwnNetwork cuts a probe off from everything, its controls and the
	// coordinator too.
	OwnNetwork Effect = "own_network"
	// NoCoordinator keeps a probe from the coordinator, but from nothing else.
	NoCoordinator Effect = "no_coordinator"
	// Stopped means that the program of a probe does not run.
	Stopped Effect = "stopped"
)

// effects maps an effect to the kinds of check on which it has a meaning; none
// for what hits a probe and not its checks.
func effects() map[Effect][]checks.Kind {
	mail := []checks.Kind{checks.IMAP, checks.SMTP, checks.POP3}
	secure := append([]checks.Kind{checks.HTTPS}, mail...)
	talking := append([]checks.Kind{checks.TCP}, secure...)
	all := append([]checks.Kind{checks.DNS, checks.RoundTrip}, talking...)
	return map[Effect][]checks.Kind{
		ConnectTimeout: all, ConnectRefused: all, ConnectReset: all, Loss: all,
		TLSStall: secure, GreetingStall: talking, AuthStall: mail, Busy: mail, AuthTempfail: mail,
		Slow2s: talking, SlowLogin: mail, HTTP503: {checks.HTTPS}, MailDelay: {checks.RoundTrip}, MailLoss: {checks.RoundTrip},
		OwnNetwork: nil, NoCoordinator: nil, Stopped: nil,
	}
}

// allKinds are the kinds of check that a scenario can have.
func allKinds() []string {
	var out []string
	for _, k := range effects()[ConnectTimeout] {
		out = append(out, string(k))
	}
	slices.Sort(out)
	return out
}

// Means says whether the effect has a meaning on a kind of check.
func (e Effect) Means(kind string) bool { return slices.Contains(effects()[e], checks.Kind(kind)) }

// OfProbe says that the effect hits all that a probe does.
func (e Effect) OfProbe() bool { return e == OwnNetwork || e == NoCoordinator || e == Stopped }

// OfMail says that the effect hits a test mail that was handed in.
func (e Effect) OfMail() bool { return e == MailDelay || e == MailLoss }

// OfStream says that the effect hits a run, by its stream or its datagrams.
func (e Effect) OfStream() bool { return !e.OfProbe() && !e.OfMail() }

// layers are the effects in the order in which they show: what is not reached is
// not slow.
func layers() [][]Effect {
	return [][]Effect{
		{Stopped, OwnNetwork, NoCoordinator},
		{ConnectTimeout, ConnectRefused, ConnectReset},
		{Loss},
		{TLSStall},
		{GreetingStall},
		{Busy},
		{AuthStall, AuthTempfail},
		{HTTP503},
		{Slow2s, SlowLogin},
		{MailLoss},
		{MailDelay},
	}
}

// layer is the number of the one that the effect belongs to.
func (e Effect) layer() int {
	return slices.IndexFunc(layers(), func(l []Effect) bool { return slices.Contains(l, e) })
}

// allEffects are the names of the effects, in order.
func allEffects() []Effect { return slices.Sorted(maps.Keys(effects())) }
