package agent

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"varde/checks"
	"varde/checks/roundtrip"
)

const (
	// followTurn is how often the agent sees what is to be done about its mails;
	// firstTurn is that of its first minute, in which its plan is applied and what
	// an earlier life began should lose no time.
	followTurn = 15 * time.Second
	firstTurn  = time.Second
	// sweepEvery is how often each mailbox is swept; crowdedEvery while it is so
	// full that no mail is sent.
	sweepEvery   = time.Hour
	crowdedEvery = 5 * time.Minute
)

// spacing is the time between a look for a mail that was so long overdue, or its
// limit, and the next look. The mail's own date tells when it arrived, so that
// nothing is lost by rare looks.
func spacing(overdue time.Duration) time.Duration {
	switch {
	case overdue < time.Minute:
		return time.Minute
	case overdue < 3*time.Minute:
		return 2 * time.Minute
	case overdue < 8*time.Minute:
		return 5 * time.Minute
	case overdue < 6*time.Hour:
		return 15 * time.Minute
	}
	return time.Hour
}

// follower looks for the mails whose runs are over.
type follower struct {
	agent *Agent
	// boxes are the mailboxes by their accounts.
	boxes map[seat]*mailbox
	// resumed are the mails of an earlier life that are looked for again, until
	// they are observed.
	resumed map[string]bool
	waits   sync.WaitGroup
	// dropped is how many records the spool had lost when all mails were told last.
	dropped uint64
}

// mailbox is one account in which mails arrive.
type mailbox struct {
	ladder         // of a server that turned us away
	visited, swept time.Time
	remarks        string // of the last visit
}

// followMails looks for every mail until there is no more to learn of it, and
// returns when ctx ends.
func (a *Agent) followMails(ctx context.Context) error {
	f := &follower{agent: a, boxes: map[seat]*mailbox{}, resumed: map[string]bool{}}
	defer f.waits.Wait()
	for ctx.Err() == nil {
		f.upkeep()
		jobs := a.work.roundTrips()
		f.resume(ctx, jobs)
		f.visit(ctx, jobs)
		turn := followTurn
		if time.Since(a.started) < time.Minute {
			turn = firstTurn
		}
		select {
		case <-ctx.Done():
		case <-time.After(turn):
		}
	}
	return nil
}

// upkeep does what needs no mailbox: it gives up what can no longer be told, and
// tells what could not be told before.
func (f *follower) upkeep() {
	l, now := f.agent.mails.ledger, time.Now()
	l.Tidy()
	kept := book{l, f.agent}
	for _, m := range l.List(func(m roundtrip.Mail) bool { return m.Expire(now) }) {
		kept.Change(m.ID, func(m *roundtrip.Mail) { m.Expire(now) })
	}
	f.repeat()
	for _, m := range l.List(func(m roundtrip.Mail) bool { return !m.Told && m.State != "" }) {
		f.agent.tell(m.ID)
	}
	// A run that ended without a word, as after a panic, has been observed otherwise.
	for _, m := range l.List(func(m roundtrip.Mail) bool {
		return !m.Observed && !f.isOfEarlierLife(m) && now.Sub(m.Started) > m.Every+5*time.Minute
	}) {
		l.Change(m.ID, func(m *roundtrip.Mail) { m.Observed = true })
	}
}

// repeat lets everything be told again once the spool is empty that has lost
// something: it may have been what was told of a mail.
func (f *follower) repeat() {
	spool := f.agent.spool.Stats()
	if spool.Dropped == f.dropped || spool.Records > 0 {
		return
	}
	f.dropped = spool.Dropped
	l := f.agent.mails.ledger
	for _, m := range l.List(func(m roundtrip.Mail) bool { return m.Told }) {
		l.Change(m.ID, func(m *roundtrip.Mail) { m.Told = false })
	}
}

func (f *follower) isOfEarlierLife(m roundtrip.Mail) bool { return f.agent.mails.inherited[m.ID] }

// resume goes on with the runs that an earlier life of the agent has begun.
func (f *follower) resume(ctx context.Context, jobs map[string]job) {
	a := f.agent
	for _, m := range a.mails.ledger.List(func(m roundtrip.Mail) bool { return !m.Observed && f.isOfEarlierLife(m) && !f.resumed[m.ID] }) {
		j, ok := jobs[m.Check]
		if !ok || j.target.To != m.To {
			continue
		}
		f.resumed[m.ID] = true
		f.waits.Go(func() {
			o, ok := j.check.(*roundtrip.Check).Resume(ctx, a.post(j), m, a.identity.Region())
			if !ok {
				return
			}
			a.mails.ledger.Change(m.ID, func(m *roundtrip.Mail) { m.Observed = true })
			a.keep(o)
		})
	}
}

// visit looks into every mailbox for which it is time.
func (f *follower) visit(ctx context.Context, jobs map[string]job) {
	byBox := map[seat][]job{}
	for _, j := range jobs {
		s := j.seats[receiveLogin]
		byBox[s] = append(byBox[s], j)
	}
	for s, js := range byBox {
		slices.SortFunc(js, func(a, b job) int { return strings.Compare(a.target.ID, b.target.ID) })
		if ctx.Err() == nil {
			f.look(ctx, s, js)
		}
	}
}

// look looks into one mailbox for the mails of all checks that share it, if it is
// time.
func (f *follower) look(ctx context.Context, s seat, jobs []job) {
	a, now := f.agent, time.Now()
	box := f.boxes[s]
	if box == nil {
		box = &mailbox{swept: now}
		f.boxes[s] = box
	}
	every := sweepEvery
	if a.mails.leftIn(s) >= maxMails {
		every = crowdedEvery
	}
	sweep := now.Sub(box.swept) >= every
	if box.resting(now) || !sweep && now.Sub(box.visited) < spacing(0) {
		return
	}
	mails := a.mails.ledger.List(func(m roundtrip.Mail) bool {
		return m.IsOpen() && m.Observed && slices.ContainsFunc(jobs, func(j job) bool { return j.target.ID == m.Check && j.target.To == m.To })
	})
	if !sweep && !box.due(mails, now) {
		return
	}
	j, retry := jobs[0], box.try(now)
	box.visited = now
	if sweep {
		box.swept = now
	}
	v := j.check.(*roundtrip.Check).Visit(ctx, a.post(j), a.identity.Name(), mails, sweep)
	if v.Class == checks.Policy {
		box.climb(retry, time.Now())
	} else {
		box.ladder = ladder{}
	}
	if v.Swept {
		a.mails.mu.Lock()
		a.mails.left[s] = v.Left
		a.mails.mu.Unlock()
	}
	box.log(a.opts.Logger.With("check", j.target.ID), v)
}

// due says whether it is time to look for one of the mails, which means for all.
func (b *mailbox) due(mails []roundtrip.Mail, now time.Time) bool {
	return slices.ContainsFunc(mails, func(m roundtrip.Mail) bool {
		last := m.Limit()
		if b.visited.After(last) {
			last = b.visited
		}
		return now.Sub(last) >= spacing(last.Sub(m.Limit()))
	})
}

// log tells people what they should know of a visit, once as long as it stays.
func (b *mailbox) log(logger *slog.Logger, v roundtrip.Visited) {
	if v.Outcome != checks.Up {
		logger.Debug("mailbox not seen to the end", "class", v.Class, "detail", v.Detail)
		return
	}
	if v.Detail != "" && v.Detail != b.remarks {
		logger.Warn("something is wrong with a mailbox of test mails", "detail", v.Detail)
	}
	b.remarks = v.Detail
}
