package mesh

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// joinAtOnce is how many seeds are tried at the same time: one that is silent
// takes a whole StreamTimeout.
const joinAtOnce = 8

// rejoin joins every seed, and every former member, from which no member answers, at once and then again
// and again until ctx ends, so that a mesh that fell apart comes together.
func (m *Mesh) rejoin(ctx context.Context, list *memberlist.Memberlist) {
	for ctx.Err() == nil {
		every := m.opt.Timing.RejoinEvery
		if m.size() < 2 || !m.still() {
			every = m.opt.Timing.RejoinAlone
		}
		// Not in step with the others, who see the same members missing.
		next := time.After(every + time.Duration((rand.Float64()-0.5)/5*float64(every)))
		m.join(ctx, list, time.Now().Add(every))
		select {
		case <-ctx.Done():
		case <-next:
		}
	}
}

// join tries the missing seeds in random order, and begins none after the
// deadline.
func (m *Mesh) join(ctx context.Context, list *memberlist.Memberlist, deadline time.Time) {
	missing := m.missing()
	rand.Shuffle(len(missing), func(i, j int) { missing[i], missing[j] = missing[j], missing[i] })
	todo := make(chan string, len(missing))
	for _, seed := range missing {
		todo <- seed
	}
	close(todo)
	var workers sync.WaitGroup
	for range min(joinAtOnce, len(missing)) {
		workers.Go(func() {
			for seed := range todo {
				// One success brings in many others.
				if ctx.Err() != nil || time.Now().After(deadline) || slices.Contains(m.others(), seed) {
					continue
				}
				if _, err := list.Join([]string{seed}); err != nil {
					m.opt.Logger.Debug("seed of the mesh does not answer", "address", seed, "error", err)
				}
			}
		})
	}
	workers.Wait()
}

// missing is the seeds and former members from which no member answers. What is not an address is
// left out: it would be looked up in the DNS.
func (m *Mesh) missing() []string {
	done := map[string]bool{m.Address(): true}
	for _, address := range m.others() {
		done[address] = true
	}
	var out []string
	for _, seed := range slices.Concat(m.opt.Seeds(), m.formerly()) {
		a, err := netip.ParseAddrPort(seed)
		if err != nil {
			m.opt.Logger.Debug("seed of the mesh is no address", "seed", seed)
			continue
		}
		if s := unmapped(a).String(); !done[s] {
			done[s] = true
			out = append(out, s)
		}
	}
	return out
}
