package incident

import (
	"maps"
	"slices"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// Group is a group of phases that have one kind of cause.
type Group string

// The groups.
const (
	// Names: no address was found.
	Names Group = "names"
	// Reach: the server cannot be reached or does not begin to speak.
	Reach Group = "reach"
	// Certificate: what the server showed in the handshake is not valid.
	Certificate Group = "certificate"
	// Login: nobody can log in.
	Login Group = "login"
	// Answers: it speaks and does not answer as it should, or says that it is busy.
	Answers Group = "answers"
	// Delivery: mail is not taken, or late.
	Delivery Group = "delivery"
	// Mixed: runs fail in several of these ways, and no group has two thirds of them.
	// Lost packets do so: they hit a connect as well as what comes after it.
	Mixed Group = "mixed"
)

// notable says how large a part of the failures makes a group one of those of a
// trouble: a sixth. There are six groups beside Mixed, so that there is always one. Of
// one cause that fails connects and answers by halves two regions, with four to twelve
// failures each, then have nothing in common in 8 cases of 1,000 at most; with a third
// in its place it were 195. With less than a sixth a run that fails by chance would make
// any trouble one of lost connects.
const notable = 6

// groupsOf are the groups of what a change rests on: that of two thirds of the
// failures, else Mixed, and all that are notable, sorted.
func groupsOf(kind checks.Kind, e verdict.Evidence) (Group, []Group) {
	if len(e.Ways) == 0 {
		g := GroupOf(kind, e.Phase, e.Class)
		return g, []Group{g}
	}
	runs, sum := make(map[Group]int), 0
	for _, w := range e.Ways {
		runs[GroupOf(kind, w.Phase, w.Class)] += w.Runs
		sum += w.Runs
	}
	most := Mixed
	var all []Group
	for _, g := range slices.Sorted(maps.Keys(runs)) {
		if 3*runs[g] >= 2*sum {
			most = g
		}
		if notable*runs[g] >= sum {
			all = append(all, g)
		}
	}
	return most, all
}

// GroupOf is the group of a failure, or of what takes too long, for which the class
// is empty and the phase the one that took longest. A class stands over a phase where
// it names the cause more closely. Where nothing is named, a service that is slow is
// taken for one that answers badly.
func GroupOf(kind checks.Kind, phase checks.Phase, class checks.Class) Group {
	if kind == checks.DNS {
		return Names // it asks for names and nothing else, whatever went wrong on the way
	}
	if g, ok := classGroups()[class]; ok {
		return g
	}
	if g, ok := phaseGroups()[phase]; ok {
		return g
	}
	if kind == checks.RoundTrip {
		return Delivery
	}
	return Answers
}

// groups are all that the trouble of a member was ever of.
func (m *Member) groups() []Group {
	if len(m.Groups) == 0 && m.Group != "" {
		return []Group{m.Group}
	}
	return m.Groups
}

// isOf says whether anything of an incident was ever of a group: what begins with lost
// connects and goes on with answers that do not come is one trouble. Mixed is none.
func (i *Incident) isOf(g Group) bool {
	return g != Mixed && (i.Key.Group == g || i.some(func(m *Member) bool { return slices.Contains(m.groups(), g) }))
}

// sameKind says whether two incidents were ever of one group.
func (i *Incident) sameKind(o *Incident) bool {
	return o.isOf(i.Key.Group) || i.some(func(m *Member) bool { return slices.ContainsFunc(m.groups(), o.isOf) })
}

// unitedGroups are those of two lists, sorted.
func unitedGroups(a, b []Group) []Group {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// classGroups are the classes that name a cause of their own, in whatever phase. Not
// in the table are those that say how something failed and not what: command_timeout,
// protocol_error and closed go by their phase, as do policy and own_*, which are
// unknown and never make a verdict.
func classGroups() map[checks.Class]Group {
	return map[checks.Class]Group{
		// The servers of the name answer badly or not at all; the mail servers were never asked.
		checks.DNSTimeout: Names, checks.DNSError: Names,
		// Lines full, a null route, a filter, a dead program or a server too busy to begin
		// look like one another from outside and turn into one another within an attack.
		checks.ConnectTimeout: Reach, checks.ConnectRefused: Reach, checks.ConnectReset: Reach, checks.Unreachable: Reach,
		checks.TLSTimeout: Reach, checks.TLSError: Reach, checks.GreetingTimeout: Reach, checks.GreetingError: Reach,
		// The server is there; somebody forgot to renew, or it is another server.
		checks.CertExpired: Certificate, checks.CertName: Certificate, checks.CertUntrusted: Certificate,
		// It said itself that it is overloaded: it can be reached.
		checks.Busy: Answers,
		// What is behind the door fails: directories and password stores.
		checks.AuthTimeout: Login, checks.AuthTempfail: Login, checks.AuthRejected: Login,
		// An answer came, and it is the wrong one.
		checks.HTTPStatus: Answers, checks.BodyMismatch: Answers,
		// The mail was taken and did not arrive.
		checks.Late: Delivery,
	}
}

// phaseGroups are the groups of phases.
func phaseGroups() map[checks.Phase]Group {
	return map[checks.Phase]Group{
		checks.Resolve: Names,
		// Until a server has said what it can do nothing of the service has been used.
		checks.Connect: Reach, checks.TLS: Reach, checks.Greeting: Reach, checks.StartTLS: Reach, checks.Capability: Reach,
		checks.Auth: Login,
		// From here on it is the service itself that works or does not. A logout fails only
		// after everything else was answered.
		checks.Select: Answers, checks.Request: Answers, checks.FirstByte: Answers, checks.Body: Answers, checks.Logout: Answers,
		checks.Submit: Delivery, checks.Deliver: Delivery,
	}
}
