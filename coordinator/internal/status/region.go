package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// Reading is the verdict of one series of a service in one region.
type Reading struct {
	Check  string
	Depth  Depth
	Family checks.Family
	State  verdict.State
	Since  time.Time
}

// Part is what a service comes to in one region.
type Part struct {
	// Known is false where no reading says anything; the rest is then empty.
	Known  bool
	Status Status
	// State is the gravest verdict, Since when the first began that is as grave; of
	// Up, when the last did.
	State verdict.State
	Since time.Time
	// Scope is how much of the service has that verdict.
	Scope Scope
	// Because says which checks and families it is about; empty when all is well.
	Because string
}

// Scope is how much of a service a verdict is about: all of it in the zero value.
type Scope struct {
	Extent Extent
	// Family is that of OneFamily.
	Family checks.Family
}

// Extent is a kind of scope.
type Extent uint8

// The extents.
const (
	// Whole is all that is known of the service.
	Whole Extent = iota
	// OneFamily is an address family while the other is better off.
	OneFamily
	// Logins and Deliveries are what goes so deep, while in each family something
	// shallower is better off.
	Logins
	Deliveries
	// Some are some of its checks.
	Some
)

// scopeOf is the scope of the gravest state.
func scopeOf(known []Reading, worst verdict.State) Scope {
	bad := slices.DeleteFunc(slices.Clone(known), func(r Reading) bool { return r.State != worst })
	family, shallowest := bad[0].Family, bad[0].Depth
	one := true
	for _, r := range bad {
		one, shallowest = one && r.Family == family, min(shallowest, r.Depth)
	}
	switch {
	case len(bad) == len(known):
		return Scope{}
	case one && count(known, func(r Reading) bool { return r.Family == family }) == len(bad):
		return Scope{OneFamily, family}
	case shallowest >= Login && onlyDeep(known, worst):
		if shallowest == Delivery {
			return Scope{Extent: Deliveries}
		}
		return Scope{Extent: Logins}
	}
	return Scope{Extent: Some}
}

// Of is the status of a service with one series.
func Of(s verdict.State) Status {
	return Worst(OfRegion([]Reading{{State: s}}).Status)
}

// OfRegion rolls the readings of one service in one region up.
func OfRegion(readings []Reading) Part {
	known := slices.DeleteFunc(slices.Clone(readings), func(r Reading) bool { return r.State == verdict.Unknown })
	if len(known) == 0 {
		return Part{}
	}
	p := Part{Known: true, Status: statusOf(known), State: verdict.Up}
	for _, r := range known {
		if r.State > p.State || r.State == p.State && earlier(r, p) {
			p.State, p.Since = r.State, r.Since
		}
	}
	if p.State > verdict.Up {
		p.Scope, p.Because = scopeOf(known, p.State), because(known)
	}
	return p
}

// earlier says whether the reading is what a part of its state counts from: trouble
// from the first that had it, health from the last that found it.
func earlier(r Reading, p Part) bool {
	switch {
	case p.Since.IsZero():
		return true
	case r.State == verdict.Up:
		return r.Since.After(p.Since)
	}
	return r.Since.Before(p.Since)
}

func statusOf(known []Reading) Status {
	isDown := func(r Reading) bool { return r.State == verdict.Down }
	down := count(known, isDown)
	switch {
	case down == len(known):
		return Major
	case down > 0 && onlyDeep(known, verdict.Down):
		return Degraded
	case down > 0:
		return Partial
	case count(known, func(r Reading) bool { return r.State > verdict.Up }) > 0:
		return Degraded
	}
	return Operational
}

// onlyDeep says whether in every family with a verdict as bad as that something
// shallower than it is better off.
func onlyDeep(known []Reading, bad verdict.State) bool {
	for _, r := range known {
		if r.State != bad {
			continue
		}
		if !slices.ContainsFunc(known, func(o Reading) bool {
			return o.State < bad && o.Family == r.Family && o.Depth < r.Depth
		}) {
			return false
		}
	}
	return true
}

// because names what is not up, the gravest first: "imap-login down over IPv6".
func because(known []Reading) string {
	type fault struct {
		check string
		state verdict.State
	}
	var order []fault
	families := map[fault][]checks.Family{}
	for _, r := range known {
		if r.State <= verdict.Up {
			continue
		}
		f := fault{r.Check, r.State}
		if families[f] == nil {
			order = append(order, f)
		}
		families[f] = append(families[f], r.Family)
	}
	slices.SortStableFunc(order, func(a, b fault) int { return int(b.state) - int(a.state) })
	words := make([]string, len(order))
	for i, f := range order {
		words[i] = fmt.Sprintf("%s %s%s", f.check, f.state, over(families[f], known, f.check))
	}
	return strings.Join(words, ", ")
}

// over names the families of a fault, where others of the same check do not share it.
func over(hit []checks.Family, known []Reading, check string) string {
	if count(known, func(r Reading) bool { return r.Check == check }) == len(hit) {
		return ""
	}
	var words []string
	for _, f := range hit {
		words = append(words, f.Name())
	}
	slices.Sort(words)
	return " over " + strings.Join(words, " and ")
}

func count[T any](list []T, is func(T) bool) (n int) {
	for _, x := range list {
		if is(x) {
			n++
		}
	}
	return n
}
