package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"varde/checks"
)

// Watch is a wish to have the checks of some services looked at more closely.
type Watch struct {
	Services []string
	// Every is the interval that is wanted; zero for a third of each check's own.
	Every time.Duration
}

// Watched is a check that is looked at more closely.
type Watched struct {
	Check string `json:"check"`
	// Own is its interval in the configuration, and Every the one that it gets: never a
	// longer one.
	Own   time.Duration `json:"own_ns"`
	Every time.Duration `json:"every_ns"`
	// Others is how many other probes are asked after a failure.
	Others int `json:"others"`
	// Limit is what keeps it from being looked at as often as is wanted; empty if
	// nothing does.
	Limit string `json:"limit,omitempty"`
}

const (
	// closer is how many times as often a check is looked at if no interval is wanted,
	// and a round trip at most: it leaves a mail behind.
	closer = 3
	// minTrip is the shortest interval of a round trip that is looked at more closely.
	minTrip = 5 * time.Minute
	// watchOthers is how many others are asked after a failure, if not more are anyway.
	watchOthers checks.Others = 5
)

// Watched returns what is to be planned while some watches are in force, and what
// became of every check that one of them is about, in order. No check is looked at
// more often than its floor allows, nor so often that fewer probes could log in for it
// than do without.
func (in Input) Watched(watches []Watch) (Input, []Watched) {
	targets := slices.Clone(in.Checks)
	var all []Watched
	for i, t := range in.Checks {
		wanted := wantedOf(t, watches)
		if wanted == 0 {
			continue
		}
		w := Watched{Check: t.ID, Own: t.Every}
		w.Every, w.Limit = bounded(t, wanted)
		if room, limit := in.room(t); w.Every < room {
			w.Every, w.Limit = room, limit
		}
		w.Every = min(w.Every, t.Every)
		targets[i].Every, targets[i].Confirm = w.Every, confirmed(t)
		w.Others = targets[i].Others()
		all = append(all, w)
	}
	in.Checks = targets
	return in, all
}

// wantedOf is the shortest interval that is wanted of a check, zero if no watch is
// about it.
func wantedOf(t checks.Target, watches []Watch) (shortest time.Duration) {
	for _, w := range watches {
		if !slices.Contains(w.Services, t.Service) {
			continue
		}
		if d := cmp.Or(w.Every, seconds(t.Every/closer)); shortest == 0 || d < shortest {
			shortest = d
		}
	}
	return shortest
}

// confirmed is how many others are asked about a watched check; nobody where the
// configuration says so.
func confirmed(t checks.Target) *checks.Others {
	if own := t.Others(); own == 0 || own >= int(watchOthers) {
		return t.Confirm
	}
	return new(watchOthers)
}

// bounded is the interval that is wanted, or the shortest that the check itself
// allows, with what limits it.
func bounded(t checks.Target, wanted time.Duration) (every time.Duration, limit string) {
	every = wanted
	least := func(d time.Duration, why string) {
		if every < d {
			every, limit = d, why
		}
	}
	floor := "no check is asked more often"
	if !t.Consent {
		floor = "not more often without consent of the service"
	}
	least(t.Floor(), floor)
	least(t.WithDefaults().Timeout, "not more often than its timeout")
	if t.Kind == checks.RoundTrip {
		least(max(minTrip, seconds(t.Every/closer)), "a test mail is sent not more often")
		least(t.WithDefaults().Late+t.WithDefaults().Timeout, "a test mail must be late before the next one")
		if !t.Consent {
			least(t.Every, "no more test mails without consent of the service")
		}
	}
	return every, limit
}

// room is the shortest interval of a check at which as many probes may log in for it
// as do now, with what limits it; zero for one without a login.
func (in Input) room(t checks.Target) (every time.Duration, limit string) {
	a := accountOf(t)
	if a == (account{}) {
		return 0, ""
	}
	s := a.share(in.Checks, in)
	times := MaxConnections / (load(s.of) * float64(max(s.chosen, 1)))
	every = seconds(time.Duration(float64(t.Every) / max(times, 1)))
	if least := time.Duration(s.chosen) * checks.FloorRoundTrip; sparing(s.of) && every < least {
		// One check without consent makes the whole account spare its server.
		return least, fmt.Sprintf("%d probes send mail with one account, together one every %s at most without consent of the service", s.chosen, checks.FloorRoundTrip)
	}
	return every, fmt.Sprintf("%d probes log in with one account, which has %d connections at once", s.chosen, MaxConnections)
}

// seconds rounds up to whole seconds.
func seconds(d time.Duration) time.Duration { return (d + time.Second - 1).Truncate(time.Second) }
