package roundtrip

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"varde/checks"
)

// How often a mailbox is looked at for a mail that has just been sent: after
// firstTurn, and then after twice as long each time, up to maxTurn.
const (
	firstTurn = 500 * time.Millisecond
	maxTurn   = 16 * time.Second
	// keepTurn is the longest wait over which a connection is kept. Others here
	// may want the account, and servers want it used.
	keepTurn = 4 * time.Second
	// lastLook is how long the look may take that begins when the mail is late.
	lastLook = checks.CommandLimit
)

// wait is one wait for one mail.
type wait struct {
	check *Check
	post  Post
	mail  Mail
	// family is that of the next connection to the mailbox.
	family checks.Family
	// turn is the time between the next look and the one after it.
	turn time.Duration
	next time.Time
	// barred is why the mailbox could not be looked at last time.
	barred *checks.Result
	// remarks are what else people should know.
	remarks []string
}

// await looks for a mail that was sent until it is found or late, and returns the
// result of its run.
func (c *Check) await(ctx context.Context, post Post, m Mail) checks.Result {
	w := &wait{check: c, post: post, mail: m, family: m.Family, turn: 2 * firstTurn, next: m.Sent.Add(firstTurn)}
	within := max(0, time.Until(m.Limit())) + lastLook
	r := checks.Record(ctx, within, func(ctx context.Context, rec *checks.Recorder) error {
		return rec.Phase(ctx, checks.Deliver, within, w.look)
	})
	return w.result(r)
}

// look looks again and again. Each connection is an attempt of its own, whose
// failure is none of the mail's.
func (w *wait) look(ctx context.Context) error {
	for first := true; ; first = false {
		if !first { // the first connection is there when the first look is due
			if err := w.pause(ctx); err != nil {
				return err
			}
		}
		v, r := w.visit(ctx)
		over := !v.began.Before(w.mail.Limit())
		switch {
		case !w.mail.Found.IsZero():
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case r.Class == checks.AuthRejected, r.Class == checks.Policy: // to go on would make it worse
			return checks.Fail(r.Class, "the mailbox: %s", r.Detail)
		case r.Outcome == checks.Up && over:
			return checks.Fail(checks.Late, "not there")
		case r.Outcome == checks.Up:
			w.barred = nil
		case v.looks > 0: // the connection was lost; another may hold
		case over || time.Now().After(w.mail.Limit()):
			w.barred = &r
			return checks.Fail(checks.Late, "not seen")
		default:
			w.barred = &r
			w.advance()
		}
	}
}

// visit opens one connection and looks as long as the next look is near. The
// mail may have been found even where the connection was lost after that.
func (w *wait) visit(ctx context.Context) (*visit, checks.Result) {
	v := &visit{check: w.check, post: w.post, began: time.Now()}
	var r checks.Result
	r, w.family = v.reach(ctx, visitLimit, w.family, func(ctx context.Context) error { return w.looks(ctx, v) })
	if r.Outcome == checks.Up && r.Detail != "" && !slices.Contains(w.remarks, r.Detail) {
		w.remarks = append(w.remarks, r.Detail)
	}
	return v, r
}

// looks looks over one connection.
func (w *wait) looks(ctx context.Context, v *visit) error {
	for {
		if err := w.pause(ctx); err != nil {
			return err
		}
		v.began = time.Now()
		m, err := v.seek(ctx, w.mail)
		if w.mail = m; err != nil || !m.Found.IsZero() {
			return err
		}
		over, near := !v.began.Before(m.Limit()), w.turn <= keepTurn
		w.advance()
		if over || !near {
			return nil
		}
	}
}

// advance plans the next look, and the last one for when the mail is late.
func (w *wait) advance() {
	now := time.Now()
	w.next = now.Add(w.turn)
	if limit := w.mail.Limit(); now.Before(limit) && w.next.After(limit) {
		w.next = limit
	}
	w.turn = min(2*w.turn, maxTurn)
}

func (w *wait) pause(ctx context.Context) error {
	t := time.NewTimer(time.Until(w.next))
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unseen is what can be said of a mail whose mailbox could not be looked at when
// it was late: what bars us alone says nothing, what bars everybody keeps the
// mail from its reader.
func (w *wait) unseen() (class checks.Class, words string) {
	class, words = checks.Late, fmt.Sprintf("the mailbox cannot be looked at: %s in %s, %s", w.barred.Class, w.barred.FailedPhase, w.barred.Detail)
	if w.barred.Outcome == checks.Unknown {
		class = w.barred.Class
	}
	return class, words
}

// result puts the wait behind the submission.
func (w *wait) result(waited checks.Result) checks.Result {
	r := w.mail.Submission
	r.Phases = slices.Clone(r.Phases)
	if waited.Class == checks.Late && w.barred != nil {
		waited.Class, waited.Detail = w.unseen()
		waited.Outcome = waited.Class.Outcome()
	}
	if !w.mail.Found.IsZero() || w.mail.State == checks.MailLate {
		delivered(&r, w.mail)
	} else {
		r.Phases, r.Elapsed = append(r.Phases, waited.Phases...), r.Elapsed+waited.Elapsed
		r.Outcome, r.FailedPhase, r.Class, r.Detail = waited.Outcome, waited.FailedPhase, waited.Class, waited.Detail
	}
	said := append([]string{r.Detail}, w.remarks...)
	r.Detail = short(strings.TrimPrefix(strings.Join(said, "; "), "; "))
	return r
}

// short cuts words that are clean, each for itself, to what a result may hold.
func short(words string) string {
	if all := []rune(words); len(all) > checks.DetailMax {
		return string(all[:checks.DetailMax-1]) + "…"
	}
	return words
}
