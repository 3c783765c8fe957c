package selfcheck

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"varde/checks"
)

// answer is what a control target did over one family. The zero value is that of
// one that was silent until now.
type answer struct {
	// took says that it took a connection, or refused it, which comes from it too.
	took bool
	// absent says that it has no address of the family, and found that its name has
	// one.
	absent, found bool
}

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

// listener keeps what the resolver said of a name.
type listener struct {
	checks.Network
	absent bool
}

// LookupNetIP asks the network.
func (l *listener) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	addrs, err := l.Network.LookupNetIP(ctx, network, host)
	l.absent = checks.IsNoAddress(err)
	return addrs, err
}

// ask finds out whether a target takes a connection. It obeys the guards of every
// attempt: a name leads to no private address.
func ask(ctx context.Context, network checks.Network, f checks.Family, target checks.Endpoint) answer {
	if at, err := netip.ParseAddr(target.Host); err == nil && at.Unmap().Is4() != (f == checks.IPv4) {
		return answer{absent: true}
	}
	heard := &listener{Network: network}
	result := checks.Record(ctx, askTimeout, func(ctx context.Context, rec *checks.Recorder) error {
		return rec.Dial(ctx, heard, f, target)
	})
	return answer{
		took:   result.Outcome == checks.Up || result.Class == checks.ConnectRefused,
		absent: heard.absent, found: result.Address != "",
	}
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
	took, of := r.tookLocked(f)
	switch {
	case named && r.namelessLocked(f):
		words = "no control name resolves either"
	case took < min(enough, len(r.targets)):
		words = fmt.Sprintf("%d of %d controls answer", took, of)
	}
	return words, words == "" || r.left == 0, r.changed
}

// tookLocked is how many targets took a connection, and of how many that are to be
// counted: those with an address of the family where they are enough, else all.
func (r *round) tookLocked(f checks.Family) (yes, of int) {
	either := 0
	for i, a := range r.answers[f] {
		if !a.absent {
			of++
		}
		if a.took {
			yes++
		}
		if a.took || r.answers[otherThan(f)][i].took {
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
