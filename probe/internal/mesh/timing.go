package mesh

import "time"

// Timing is how fast the mesh finds out. All fields are required; begin with
// Production or Simulation.
type Timing struct {
	// ProbeInterval is how often a member looks after one other, in turn, and
	// ProbeTimeout how long it waits for the answer before it asks others to
	// look too.
	ProbeInterval, ProbeTimeout time.Duration
	// SuspicionMult times max(1, log10 n) times ProbeInterval is how long a
	// member that does not answer has to protest before it is held for dead, if
	// others agree; SuspicionMaxMult times as long if nobody does. Where the plan named
	// fewer than 16 members when the mesh began, SuspicionMult is one more, and
	// SuspicionMaxMult 1.
	SuspicionMult, SuspicionMaxMult int
	// GossipInterval is how often news are passed on, to GossipNodes others.
	GossipInterval time.Duration
	GossipNodes    int
	// PushPullInterval is how often a member exchanges all it knows with another one;
	// less often where there are many.
	PushPullInterval time.Duration
	// DeadTime is how long the dead are told that they are dead, in case they
	// are not.
	DeadTime time.Duration
	// StreamTimeout bounds the dial, and each exchange over a stream.
	StreamTimeout time.Duration
	// RejoinEvery is how often, give or take 10 %, the known addresses are tried
	// from which no member answers; RejoinAlone while there is no other member, or
	// while members come and go: those who join at the same moment can miss one
	// another's news.
	RejoinEvery, RejoinAlone time.Duration
	// SettleAfter is how long a member has to be there, or gone, to be gone by.
	SettleAfter time.Duration
}

// Production is for probes all over the world, some tens of them. It lies
// between memberlist's defaults for a LAN (a probe in Sydney that loses packets
// would be held for dead) and for a WAN (30 to 270 s to notice a death). An
// answer may take 800 ms, and a member has 4.8 s (10 members) or 6.1 s (50) to
// protest; in a large mesh twice that if nobody confirms. Simulated, all others have
// noticed a death after 7.2 s with 10 members, 8.6 s with 50 and 13 s with 200
// (median), and after 11.8 s in the worst of 300 cases with 10 and 12.6 s of 100 with
// 50. With a ProbeInterval of 1.5 s one death in a hundred took more than 15 s: it is
// chance when the first of the others looks. A protest is passed on every 200 ms:
// at 300 ms one in four members that stand still for 2 s four times a minute and lose
// 30 % of their datagrams is held for dead within half an hour. The rejoin rhythm of
// 60 s +-10 % is what others who embed memberlist came to, who had to mend its splits
// themselves.
func Production() Timing {
	return Timing{
		ProbeInterval: 1200 * time.Millisecond, ProbeTimeout: 800 * time.Millisecond,
		SuspicionMult: 3, SuspicionMaxMult: 2,
		GossipInterval: 200 * time.Millisecond, GossipNodes: 3,
		PushPullInterval: 30 * time.Second, DeadTime: 60 * time.Second,
		StreamTimeout: 10 * time.Second,
		RejoinEvery:   60 * time.Second, RejoinAlone: 10 * time.Second,
		SettleAfter: 30 * time.Second,
	}
}

// Simulation is for days of simulated time, in which an idle mesh should cost
// next to nothing: most takes ten times as long as in Production.
func Simulation() Timing {
	t := Production()
	t.ProbeInterval, t.ProbeTimeout = 15*time.Second, 800*time.Millisecond
	t.GossipInterval = 2 * time.Second
	t.PushPullInterval, t.DeadTime = 5*time.Minute, 5*time.Minute
	return t
}

// isSet says whether t was made by one of the functions above, or like it.
func (t Timing) isSet() bool {
	return t.ProbeInterval > 0 && t.ProbeTimeout > 0 && t.SuspicionMult > 0 && t.SuspicionMaxMult > 0 &&
		t.GossipInterval > 0 && t.GossipNodes > 0 && t.PushPullInterval > 0 && t.DeadTime > 0 &&
		t.StreamTimeout > 0 && t.RejoinEvery > 0 && t.RejoinAlone > 0 && t.SettleAfter > 0
}
