package selfcheck

import (
	"fmt"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

const (
	// deadAfter is for how long controls must answer over one family alone for the
	// other one to be dead: as with a machine that has a route for IPv6 and no IPv6
	// behind it, which mends nothing by itself.
	deadAfter = 5 * time.Minute
	// deadEvery is how often it is then looked whether it lives again.
	deadEvery = 5 * time.Minute
)

// standing is what the controls have shown of one family. The zero value was not
// judged yet.
type standing struct {
	qualified wire.Qualification
	// reason says why it is not qualified.
	reason string
	// alone is since when only the other family works, zero while this one does or
	// neither.
	alone time.Time
	dead  bool
}

// differs says whether there is something to tell since before.
func (s standing) differs(before standing) bool {
	s.alone = before.alone
	return s != before
}

// Standing says whether the probe is fit to judge, and why not. It is not judged
// before any control was asked. A family that is dead is not looked at and does not
// count.
func (c *Controls) Standing() (wire.Qualification, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q, reason := wire.NotJudged, ""
	for _, f := range []checks.Family{checks.IPv6, checks.IPv4} {
		switch s := c.standing[f]; {
		case s.dead:
		case s.qualified == wire.Disqualified:
			q, reason = s.qualified, s.reason
		case q == wire.NotJudged:
			q = s.qualified
		}
	}
	return q, reason
}

// Dead says whether enough controls have answered over the other family for five
// minutes, and not over this one: then this machine is without it, whatever its
// routes say.
func (c *Controls) Dead(f checks.Family) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.standing[f].dead
}

// Faults are the families that are dead.
func (c *Controls) Faults() []wire.Fault {
	switch {
	case c.Dead(checks.IPv4):
		return []wire.Fault{wire.FaultNoIPv4}
	case c.Dead(checks.IPv6):
		return []wire.Fault{wire.FaultNoIPv6}
	}
	return nil
}

// conclude takes over what a round has shown by now, unless there are other targets
// meanwhile.
func (c *Controls) conclude(r *round) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != r || c.asking.Err() != nil {
		return
	}
	for _, f := range []checks.Family{checks.IPv4, checks.IPv6} {
		if _, known := c.standing[f]; known {
			c.weighLocked(f)
		}
	}
	c.followLocked()
}

// weighLocked judges a family by the last round, and tells what has changed.
func (c *Controls) weighLocked(f checks.Family) {
	was := c.standing[f]
	now := c.last.standing(f, was)
	c.standing[f] = now
	if !now.differs(was) {
		return
	}
	switch {
	case now.dead && !was.dead:
		c.opt.Logger.Warn("no control answers over this family though others do, it is left out", "family", f)
		other := otherThan(f)
		if c.standing[other].qualified == wire.NotJudged {
			c.standing[other] = standing{qualified: wire.Qualified}
		}
	case now.qualified == wire.Disqualified && was.qualified != wire.Disqualified:
		c.opt.Logger.Warn("this probe is not fit to judge, its failures are unknown", "reason", now.reason)
	case now.qualified == wire.Qualified && was.qualified == wire.Disqualified:
		c.opt.Logger.Info("this probe is fit to judge again", "family", f)
	}
	c.opt.Changed()
	if now.dead != was.dead {
		c.opt.Families()
	}
}

// standing is how a family stands by a round, and by how it stood before. One that
// is dead stays so until it works.
func (r *round) standing(f checks.Family, was standing) standing {
	words, known, _ := r.judge(f, false)
	switch {
	case !known:
		return was
	case words == "":
		return standing{qualified: wire.Qualified}
	}
	s := standing{qualified: wire.Disqualified, reason: fmt.Sprintf("%s over %s", words, f), dead: was.dead}
	if words, _, _ := r.judge(otherThan(f), false); words != "" {
		return s
	}
	if s.alone = was.alone; s.alone.IsZero() {
		s.alone = r.began
	}
	s.dead = s.dead || r.began.Sub(s.alone) >= deadAfter
	return s
}

// followLocked has the controls asked again while the probe is not well, so that it
// is well as soon as it can be, also when nothing fails any more.
func (c *Controls) followLocked() {
	c.restLocked()
	wait := time.Duration(0)
	for _, s := range c.standing {
		switch {
		case s.qualified != wire.Disqualified:
		case !s.dead:
			wait = roundEvery
		case wait == 0:
			wait = deadEvery
		}
	}
	if wait > 0 {
		c.again = time.AfterFunc(time.Until(c.last.began.Add(wait)), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.beginLocked(false)
		})
	}
}

// restLocked gives up the round that was to come.
func (c *Controls) restLocked() {
	if c.again != nil {
		c.again.Stop()
	}
}
