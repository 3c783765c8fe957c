package selfcheck

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"varde/checks"
)

// answer is what a control target did over one family.
type answer uint8

const (
	// silent has not answered, or not yet.
	silent answer = iota
	// absent has no address of the family.
	absent
	took
)

// round is one question to all control targets, asked for the sake of one
// family.
type round struct {
	family  checks.Family
	targets []checks.Endpoint
	began   time.Time

	mu sync.Mutex // protects all following fields
	// own are the answers over the family, other those over the other one; resolved
	// says of which targets there was any address.
	own, other []answer
	resolved   []bool
	// left is how many answers are to come; changed is closed with the next one.
	left    int
	changed chan struct{}
}

func newRound(f checks.Family, targets []checks.Endpoint) *round {
	n := len(targets)
	return &round{
		family: f, targets: targets, began: time.Now(), own: make([]answer, n), other: make([]answer, n),
		resolved: make([]bool, n), left: 2 * n, changed: make(chan struct{}),
	}
}

// run asks all targets over both families at once, so that nobody waits twice.
func (r *round) run(ctx context.Context, network checks.Network) {
	other := checks.IPv4
	if r.family == other {
		other = checks.IPv6
	}
	var asks sync.WaitGroup
	for i := range r.targets {
		asks.Go(func() { r.ask(ctx, network, i, r.family, r.own) })
		asks.Go(func() { r.ask(ctx, network, i, other, r.other) })
	}
	asks.Wait()
}

// ask notes whether a target takes a connection.
func (r *round) ask(ctx context.Context, network checks.Network, i int, f checks.Family, into []answer) {
	result := checks.Record(ctx, askTimeout, func(ctx context.Context, rec *checks.Recorder) error {
		return rec.Dial(ctx, network, f, r.targets[i])
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case result.Outcome == checks.Up || result.Class == checks.ConnectRefused:
		into[i] = took
	case result.Class == checks.DNSError:
		into[i] = absent
	default:
		into[i] = silent
	}
	r.resolved[i] = r.resolved[i] || result.Address != ""
	r.left--
	close(r.changed)
	r.changed = make(chan struct{})
}

// wait returns why the failure of an attempt is not the target's, empty if it is:
// as soon as that is known, and after a second in any case.
func (r *round) wait(ctx context.Context, named bool) (words string) {
	give := time.NewTimer(patience)
	defer give.Stop()
	for {
		words, known, changed := r.judge(named)
		if known {
			return words
		}
		select {
		case <-changed:
		case <-give.C:
			return fmt.Sprintf("%s within %s", words, patience)
		case <-ctx.Done():
			return words
		}
	}
}

// judge says what speaks against the probe itself by now, nothing if it is fit to
// judge; named asks whether names resolve too. It is known when no further answer
// can change it.
func (r *round) judge(named bool) (words string, known bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	took, of := r.answersLocked()
	names, resolved := r.namesLocked()
	switch {
	case took < min(enough, len(r.targets)):
		words = fmt.Sprintf("%d of %d controls answer", took, of)
	case named && names > 0 && resolved == 0:
		words = "no control name resolves either"
	}
	return words, words == "" || r.left == 0, r.changed
}

// answersLocked is how many targets took a connection, and of how many that are
// to be counted: those with an address of the family where they are enough, else
// all.
func (r *round) answersLocked() (yes, of int) {
	for _, a := range r.own {
		if a != absent {
			of++
		}
		if a == took {
			yes++
		}
	}
	if of >= min(enough, len(r.targets)) {
		return yes, of
	}
	yes = 0
	for i := range r.targets {
		if r.own[i] == took || r.other[i] == took {
			yes++
		}
	}
	return yes, len(r.targets)
}

// namesLocked is how many targets have a name, and how many of the names
// resolved.
func (r *round) namesLocked() (names, resolved int) {
	for i, e := range r.targets {
		if _, err := netip.ParseAddr(e.Host); err == nil {
			continue
		}
		names++
		if r.resolved[i] {
			resolved++
		}
	}
	return names, resolved
}
