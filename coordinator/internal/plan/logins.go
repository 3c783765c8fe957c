package plan

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"varde/checks"
)

// MaxConnections is how many connections to one service all probes together
// make with one account at the same time, even if the server is so slow that
// each of them takes its whole timeout.
const MaxConnections = 3

// account is a login as a server sees it: servers count connections by service.
type account struct {
	kind       checks.Kind
	host, user string
}

// note is what an operator should know of an account that not all probes can use
// as they are meant to.
type note struct {
	effect, checks, user, remedy string
	probes, chosen               int
}

// assign says in the targets which probes may log in, where not all may, and
// returns what there is to say of it. Each region gets as many as the others, as
// far as it has them; which ones those are changes as little as possible when
// probes come and go.
func assign(targets []checks.Target, in Input) []note {
	var notes []note
	for _, a := range accounts(targets) {
		s := a.share(targets, in)
		if s.chosen == s.all && s.chosen <= s.allowed {
			continue
		}
		if s.chosen < s.all {
			names := choose(s.regions, s.chosen)
			for _, t := range s.of {
				t.LoginProbes = names
			}
		}
		n := a.note(s)
		if s.chosen < s.enough {
			n.effect += ": too few for a verdict of every region"
		}
		notes = append(notes, n)
	}
	return notes
}

// share is who can log in with one account.
type share struct {
	// of are the targets that do.
	of []*checks.Target
	// regions are the probes that run them, by region.
	regions [][]string
	// Of all probes allowed may log in, enough are needed for verdicts, and chosen are
	// those that do.
	all, allowed, enough, chosen int
}

// share says how many probes log in with the account for its targets.
func (a account) share(targets []checks.Target, in Input) (s share) {
	for i := range targets {
		if accountOf(targets[i]) == a {
			s.of = append(s.of, &targets[i])
		}
	}
	s.regions, s.allowed = a.ranked(s.of, in), allowance(s.of)
	for _, probes := range s.regions {
		s.all += len(probes)
		s.enough += min(len(probes), in.MinProbes)
	}
	s.chosen = min(s.all, max(s.allowed, s.enough))
	if sparing(s.of) {
		s.chosen = min(s.all, s.allowed)
	}
	return s
}

// accounts are those of the targets, each once.
func accounts(targets []checks.Target) []account {
	var out []account
	for _, t := range targets {
		if a := accountOf(t); a != (account{}) && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// accountOf is the account of a target, zero without one. A round trip is known
// by the one that it sends with.
func accountOf(t checks.Target) account {
	login := t.Login
	if login == nil && t.Submit != nil {
		login = t.Submit.Login
	}
	u, err := url.Parse(t.Address())
	if login == nil || err != nil {
		return account{}
	}
	return account{t.Kind, strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), login.User}
}

// allowance is how many probes may log in for the targets of one account:
// together they take probes x timeout / every connections at once. Nobody who
// did not agree to more gets a round trip from the whole fleet more often than
// one probe may make it.
func allowance(of []*checks.Target) int {
	most := math.MaxInt32
	for _, t := range of {
		if sparing(of) {
			most = min(most, int(t.Every/checks.FloorRoundTrip))
		}
	}
	return max(1, min(most, int(MaxConnections/load(of)+1e-9)))
}

// load is how many connections one probe has at once for the targets, on average and
// at most.
func load(of []*checks.Target) (sum float64) {
	for _, t := range of {
		sum += float64(t.WithDefaults().Timeout) / float64(max(t.Every, time.Second))
	}
	return sum
}

// sparing says whether the targets are round trips of somebody who did not agree
// to many.
func sparing(of []*checks.Target) bool {
	return slices.ContainsFunc(of, func(t *checks.Target) bool { return t.Kind == checks.RoundTrip && !t.Consent })
}

// ranked are the probes that run any of the targets, by region in the order of
// the configuration, each region's in the order in which they are chosen
// (rendezvous hashing).
func (a account) ranked(of []*checks.Target, in Input) [][]string {
	var out [][]string
	for _, r := range in.Regions {
		if !slices.ContainsFunc(of, func(t *checks.Target) bool { return t.In(r.ID) }) {
			continue
		}
		var names []string
		for _, p := range in.Probes {
			if p.Region == r.ID {
				names = append(names, p.Name)
			}
		}
		slices.SortFunc(names, func(x, y string) int { return cmp.Or(cmp.Compare(a.hash(x), a.hash(y)), cmp.Compare(x, y)) })
		out = append(out, names)
	}
	return out
}

func (a account) hash(probe string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s", a.kind, a.host, a.user, probe))
	return string(sum[:])
}

// choose takes n names, one of each region in turn.
func choose(regions [][]string, n int) []string {
	var out []string
	for rank := 0; len(out) < n; rank++ {
		for _, names := range regions {
			if rank < len(names) && len(out) < n {
				out = append(out, names[rank])
			}
		}
	}
	slices.Sort(out)
	return out
}

// note says what becomes of an account of which not all probes make use, or too
// many do.
func (a account) note(s share) note {
	n := note{
		effect: "not all probes log in, or one account would have too many connections at once",
		user:   a.user, probes: s.all, chosen: s.chosen, remedy: "a longer every, a shorter timeout, or a second account for some of the regions",
	}
	if s.chosen > s.allowed {
		n.effect = "one account can have too many connections at once: fewer probes would not be enough for verdicts"
	}
	if sparing(s.of) {
		n.effect = "not all probes send mail, or the provider would have more than its floor allows"
		n.remedy = "a longer every, or consent of the service"
	}
	var ids []string
	for _, t := range s.of {
		ids = append(ids, t.ID)
	}
	n.checks = strings.Join(ids, ", ")
	return n
}
