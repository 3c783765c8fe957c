package roundtrip

import (
	"context"
	"slices"
	"time"

	"varde/checks"
)

const (
	// sweepMax is how many messages of one mailbox a sweep looks at.
	sweepMax = 50
	// unknownFor is how old a mail of ours must be that the ledger does not
	// know: it may be about to.
	unknownFor = time.Hour
	// foreignFor is how old the mail of another probe must be, which may be
	// looking for it itself as long.
	foreignFor = checks.MailFollow + time.Hour
	// visitLimit bounds a visit for many mails.
	visitLimit = checks.MaxTimeout
)

// Visited is what a visit to the mailbox gave.
type Visited struct {
	// Result is how the connection went: up if everything was done, its detail
	// being what people should know all the same.
	checks.Result
	// Left is how many test mails the mailbox still holds, whosever they are, but
	// for copies among the sent that are kept; Swept says that they were counted.
	Left  int
	Swept bool
}

// Visit looks once for each of the mails over one connection, and removes what it
// finds. With sweep it also removes what earlier visits have left: mails of this
// probe, of which there is no more to learn, and those of others that nobody
// follows any more.
func (c *Check) Visit(ctx context.Context, post Post, probe string, mails []Mail, sweep bool) Visited {
	v := &visit{check: c, post: post, began: time.Now()}
	var out Visited
	out.Result, _ = v.reach(ctx, visitLimit, checks.IPv4, func(ctx context.Context) error {
		if err := v.seekAll(ctx, probe, mails); err != nil || !sweep {
			return err
		}
		var err error
		out.Left, err = v.sweep(ctx, probe)
		out.Swept = err == nil
		return err
	})
	return out
}

// seekAll looks for each of the mails, first for those that were not looked for
// the longest: there may be more than one visit has time for. In an outage there
// are many and none of them is there, which takes one search to see. Some servers
// find whole words only, so nothing new is said of a mail by that.
func (v *visit) seekAll(ctx context.Context, probe string, mails []Mail) (err error) {
	slices.SortStableFunc(mails, func(x, y Mail) int { return x.lastWithout().Compare(y.lastWithout()) })
	began, none := time.Now(), false
	if len(mails) > 1 {
		if none, err = v.isWithout(ctx, probe); err != nil {
			return err
		}
	}
	for _, m := range mails {
		if none && !m.turns(began) {
			v.change(m, func(m *Mail) { m.missed(began) })
		} else if _, err := v.seek(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// isWithout says whether there is no mail of a probe where mails arrive.
func (v *visit) isWithout(ctx context.Context, probe string) (bool, error) {
	for _, box := range slices.Concat([]string{inbox}, v.junk) {
		if uids, err := v.search(ctx, box, "."+probe+"."); err != nil || len(uids) > 0 {
			return false, err
		}
	}
	return true, nil
}

// sweep removes what nobody waits for, and counts what is left. Of what was sent
// only that counts which should be gone: the copy of a mail that does not arrive
// is kept, and there are many of them in an outage, which must go on being
// measured.
func (v *visit) sweep(ctx context.Context, probe string) (left int, err error) {
	for _, box := range slices.Concat([]string{inbox}, v.junk, v.sent) {
		uids, err := v.search(ctx, box, "")
		if err != nil {
			return left, err
		}
		var waste []found
		for _, uid := range portion(uids, time.Now()) {
			f, ok, err := v.fetch(ctx, uid)
			if err != nil {
				return left, err
			}
			if ok && v.isWaste(f, probe) {
				waste = append(waste, f)
			}
		}
		if slices.Contains(v.sent, box) {
			uids = uids[:len(waste)]
		}
		left += len(uids) - v.remove(ctx, waste)
	}
	return left, nil
}

// portion is what one sweep looks at: each hour the next piece of what there is,
// so that messages that may not be removed hide no others for ever.
func portion(uids []uint32, now time.Time) []uint32 {
	pieces := (len(uids) + sweepMax - 1) / sweepMax
	if pieces <= 1 {
		return uids
	}
	from := int(now.Unix()/3600) % pieces * sweepMax
	return uids[from:min(from+sweepMax, len(uids))]
}

// isWaste says whether nobody waits for a message.
func (v *visit) isWaste(f found, probe string) bool {
	age := time.Since(f.written)
	if f.received.After(f.written) {
		age = time.Since(f.received) // what it says of itself may be anybody's words
	}
	if f.token.probe != probe || !f.token.signedBy(v.post.Key, f.written, f.to) {
		return age > foreignFor
	}
	m, known := v.post.Ledger.Mail(f.token.id)
	if known {
		return !m.IsOpen() && f.unlike(&m) == ""
	}
	return age > unknownFor
}
