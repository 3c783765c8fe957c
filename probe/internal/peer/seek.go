package peer

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"varde/proto/wire"
)

const (
	// askEvery is how often a probe without a coordinator asks for a plan, when
	// nobody says to have a newer one.
	askEvery = time.Minute
	// maxAsked is how many others it asks each time.
	maxAsked = 3
	// distrust is how long a probe is not asked again that gave us anything but a
	// larger plan that the coordinator has signed.
	distrust = 10 * time.Minute
)

// Candidate is another probe that may help, and what it says of itself, which
// nobody has verified.
type Candidate struct {
	Remote
	Region string
	// Plan is the number of its plan; zero if the mesh says nothing of it.
	Plan wire.PlanNumber
	// Coordinator says that it reaches a coordinator.
	Coordinator bool
}

// Relays are those to ask for a way to a coordinator, in order: first those that
// say to have one, then a few of the others, those that say nothing first, because
// the mesh that they say it over may be broken or lied to. Among equals other
// regions go first, since it is often a whole region that is cut off, and beyond
// that chance decides, so that not all lean on one probe.
func Relays(region string, all []Candidate) []Remote {
	var with, without []Candidate
	for _, c := range shuffled(all) {
		if c.Coordinator {
			with = append(with, c)
		} else {
			without = append(without, c)
		}
	}
	slices.SortStableFunc(without, func(a, b Candidate) int { return cmp.Compare(saysSomething(a), saysSomething(b)) })
	for _, list := range [][]Candidate{with, without} {
		slices.SortStableFunc(list, func(a, b Candidate) int { return cmp.Compare(isNear(region, a), isNear(region, b)) })
	}
	var out []Remote
	for _, c := range append(with, without[:min(len(without), maxAsked)]...) {
		out = append(out, c.Remote)
	}
	return out
}

func isNear(region string, c Candidate) int {
	if c.Region == region {
		return 1
	}
	return 0
}

func saysSomething(c Candidate) int {
	if c.Plan == (wire.PlanNumber{}) {
		return 0
	}
	return 1
}

func shuffled(all []Candidate) []Candidate {
	all = slices.Clone(all)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// SeekerOptions configures a Seeker. All of them are required.
type SeekerOptions struct {
	// Ask gets a plan from another probe. (*Peer).Plan does.
	Ask func(ctx context.Context, r Remote, after wire.PlanNumber) (*wire.SignedPlan, error)
	// Candidates are the other probes.
	Candidates func() []Candidate
	// Have is the number of the plan in force, and Offer takes a larger one that
	// is rightly signed.
	Have  func() wire.PlanNumber
	Offer func(wire.SignedPlan) error
	// Since is when a coordinator was lost; false while there is one.
	Since func() (at time.Time, alone bool)
	// After is how long it has been lost before those are asked who do not say to
	// have a larger plan.
	After  time.Duration
	Logger *slog.Logger
}

// Seeker gets newer plans from other probes while there is no coordinator. Who
// gives them need not be believed, since the coordinator has signed them.
type Seeker struct {
	opt   SeekerOptions
	stirs chan struct{}
	taken atomic.Uint64
	asked time.Time            // when last without being told of a newer one
	rests map[string]time.Time // until when somebody is not asked
}

// NewSeeker makes a Seeker. It starts nothing.
func NewSeeker(opt SeekerOptions) (*Seeker, error) {
	if opt.Ask == nil || opt.Candidates == nil || opt.Have == nil || opt.Offer == nil || opt.Since == nil || opt.After <= 0 || opt.Logger == nil {
		return nil, errors.New("peer: all options of a seeker are required")
	}
	return &Seeker{opt: opt, stirs: make(chan struct{}, 1), rests: map[string]time.Time{}}, nil
}

// Taken counts the plans that other probes have brought.
func (s *Seeker) Taken() uint64 { return s.taken.Load() }

// Stir says that a coordinator was lost or found, or that other probes say
// something else than before. It does not block.
func (s *Seeker) Stir() {
	select {
	case s.stirs <- struct{}{}:
	default:
	}
}

// Run seeks until ctx ends, and returns nil.
func (s *Seeker) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		var due <-chan time.Time // never, while there is a coordinator
		if since, alone := s.opt.Since(); alone {
			due = time.After(time.Until(s.seek(ctx, since)))
		}
		select {
		case <-ctx.Done():
		case <-s.stirs:
		case <-due:
		}
	}
	return nil
}

// seek asks those who say to have a larger plan, or when it is time any others,
// and returns when to do so again.
func (s *Seeker) seek(ctx context.Context, since time.Time) (next time.Time) {
	now := time.Now()
	var newer, others []Candidate
	for _, c := range shuffled(s.opt.Candidates()) {
		switch {
		case now.Before(s.rests[c.Name]):
		case c.Plan.After(s.opt.Have()):
			newer = append(newer, c)
		default:
			others = append(others, c)
		}
	}
	for _, c := range newer {
		if c.Plan.After(s.opt.Have()) && !s.ask(ctx, c) { // no other has given it meanwhile
			// It need not have said so: the mesh verifies nothing.
			s.rest(c, askEvery)
		}
	}
	next = since.Add(s.opt.After)
	if again := s.asked.Add(askEvery); again.After(next) {
		next = again
	}
	if now.Before(next) {
		return next
	}
	s.asked = now
	for _, c := range others[:min(len(others), maxAsked)] {
		if s.ask(ctx, c) {
			break
		}
	}
	return now.Add(askEvery)
}

// ask asks one probe, and reports whether that brought a plan.
func (s *Seeker) ask(ctx context.Context, c Candidate) bool {
	after := s.opt.Have()
	signed, err := s.opt.Ask(ctx, c.Remote, after)
	if err == nil && signed != nil {
		err = s.opt.Offer(*signed)
	}
	_, unreachable := errors.AsType[*Unreachable](err)
	_, refused := errors.AsType[*Refusal](err)
	faster := s.opt.Have() != after // the coordinator was
	log := s.opt.Logger.With("probe", c.Name)
	switch {
	case err == nil && signed != nil:
		s.taken.Add(1)
		log.Info("another probe brought a plan")
		return true
	case err == nil || unreachable || refused || faster:
		log.Debug("no plan from another probe", "error", err)
	default:
		log.Warn("plan of another probe is refused", "not_asked_for", distrust, "error", err)
		s.rest(c, distrust)
	}
	return false
}

// rest leaves a probe alone for a while, and not for a shorter one than before.
func (s *Seeker) rest(c Candidate, d time.Duration) {
	if until := time.Now().Add(d); until.After(s.rests[c.Name]) {
		s.rests[c.Name] = until
	}
}
