package selfcheck

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"varde/checks"
)

// round is one question to all control targets.
type round struct {
	targets []checks.Endpoint
	began   time.Time

	mu sync.Mutex // protects all following fields
	// answers are in the order of the targets.
	answers map[checks.Family][]answer
	// left is how many answers are to come; changed is closed with the next one.
	left    int
	changed chan struct{}
}

func newRound(targets []checks.Endpoint) *round {
	n := len(targets)
	return &round{
		targets: targets, began: time.Now(), left: 2 * n, changed: make(chan struct{}),
		answers: map[checks.Family][]answer{checks.IPv4: make([]answer, n), checks.IPv6: make([]answer, n)},
	}
}

func otherThan(f checks.Family) checks.Family {
	if f == checks.IPv4 {
		return checks.IPv6
	}
	return checks.IPv4
}

// run asks all targets over both families at once, so that nobody waits twice, and
// calls told after each answer.
func (r *round) run(ctx context.Context, network checks.Network, told func()) {
	var asks sync.WaitGroup
	for i, target := range r.targets {
		for _, f := range []checks.Family{checks.IPv4, checks.IPv6} {
			asks.Go(func() {
				r.note(i, f, ask(ctx, network, f, target))
				told()
			})
		}
	}
	asks.Wait()
}

func (r *round) note(i int, f checks.Family, a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[f][i] = a
	r.left--
	close(r.changed)
	r.changed = make(chan struct{})
}

// wait returns why the failure of an attempt over a family is not the target's,
// empty if it is: as soon as that is known, and after a second in any case.
func (r *round) wait(ctx context.Context, f checks.Family, named bool) (words string) {
	give := time.NewTimer(patience)
	defer give.Stop()
	for {
		words, known, changed := r.judge(f, named)
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
// judge over the family; named asks whether names resolve too. It is known when no
// further answer can change it.
func (r *round) judge(f checks.Family, named bool) (words string, known bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	came, of := r.cameLocked(f)
	switch {
	case named && r.namelessLocked(f):
		words = "no control name resolves either"
	case came < min(enough, len(r.targets)):
		words = fmt.Sprintf("%d of %d controls answer", came, of)
	}
	return words, words == "" || r.left == 0, r.changed
}

// cameLocked is how many targets answered, and of how many that are to be
// counted: those with an address of the family where they are enough, else all.
func (r *round) cameLocked(f checks.Family) (yes, of int) {
	either := 0
	for i, a := range r.answers[f] {
		if !a.absent {
			of++
		}
		if a.came() {
			yes++
		}
		if a.came() || r.answers[otherThan(f)][i].came() {
			either++
		}
	}
	if of < min(enough, len(r.targets)) {
		return either, len(r.targets)
	}
	return yes, of
}

// namelessLocked says whether some targets have names and none of them resolves. A
// name resolves if it has an address of the family, or one of the other family and
// the resolver says that it has none of this one.
func (r *round) namelessLocked(f checks.Family) bool {
	names := 0
	for i, e := range r.targets {
		if _, err := netip.ParseAddr(e.Host); err == nil {
			continue
		}
		names++
		if own := r.answers[f][i]; own.found || own.absent && r.answers[otherThan(f)][i].found {
			return false
		}
	}
	return names > 0
}
