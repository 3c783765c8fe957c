package roundtrip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"varde/checks"
	"varde/checks/smtp"
)

// Ledger keeps a probe's mails through every crash.
type Ledger interface {
	// Enter keeps a mail that is about to be sent. When it returns without an
	// error the mail is on disk; with one it must not be sent.
	Enter(m Mail) error
	// Withdraw forgets a mail that was certainly never sent.
	Withdraw(id string)
	// Change changes a mail and returns what it is now; ok is false if there is
	// none of that id. What the disk does not take is written later.
	Change(id string, change func(*Mail)) (m Mail, ok bool)
	// Mail returns the mail of an id.
	Mail(id string) (m Mail, ok bool)
}

// Door gives leave to log in, for one connection. The error is a *checks.Failure
// and says why not. Leave must be called with what became of it.
type Door func(ctx context.Context) (leave func(checks.Result), err error)

// Post is what a round trip needs of the probe that makes it. All of it is
// required.
type Post struct {
	Ledger Ledger
	// Key signs the mails, KeySize bytes.
	Key []byte
	// Submit and Receive are the doors of the two ends.
	Submit, Receive Door
	// Judge puts the blame for what became of a connection to the mailbox where
	// it belongs: a port that is blocked here keeps no mail from anybody.
	Judge func(context.Context, checks.Result) checks.Result
}

// Send makes one run: o says whose and when. It returns what is to be observed,
// and the id of the mail that the ledger goes on following; empty if none was
// sent. When ctx ends early the mail stays unobserved, for [Check.Resume].
func (c *Check) Send(ctx context.Context, post Post, o checks.Observation) (checks.Result, string) {
	if err := knock(ctx, post.Receive); err != nil { // what could not be looked for is not sent
		return failed(ctx, err), ""
	}
	m := c.write(post, o)
	if err := post.Ledger.Enter(m); err != nil {
		return failed(ctx, &checks.Failure{
			Phase: checks.Submit, Class: checks.OwnError, Detail: fmt.Sprintf("no mail was sent, since the ledger cannot take it: %v", err),
		}), ""
	}
	r, sent, fate := c.handIn(ctx, post, m, o.Family)
	switch {
	case sent.IsZero() && fate != smtp.Doubtful:
		post.Ledger.Withdraw(m.ID)
		return r, ""
	case sent.IsZero():
		return r, m.ID
	}
	m, _ = post.Ledger.Change(m.ID, func(m *Mail) { m.taken(sent, r) })
	return c.await(ctx, post, m), m.ID
}

// knock asks for leave and does not use it.
func knock(ctx context.Context, door Door) error {
	leave, err := door(ctx)
	if err == nil {
		leave(checks.Result{})
	}
	return err
}

// failed is the result of a run that ended before anything was asked.
func failed(ctx context.Context, err error) checks.Result {
	return checks.Record(ctx, checks.DefaultTimeout, func(context.Context, *checks.Recorder) error { return err })
}

// write makes the mail of a run.
func (c *Check) write(post Post, o checks.Observation) Mail {
	m := Mail{
		ID: newID(), Check: c.target.ID, Service: c.target.Service, Route: c.target.Route, Probe: o.Probe,
		From: c.target.From, To: c.target.To, Late: c.target.Late, Written: time.Now().Round(0),
		Family: o.Family, Plan: o.Plan, Every: o.Every, Scheduled: o.Scheduled.Round(0), Started: o.Started.Round(0),
	}
	m.Token = sign(post.Key, m)
	return m
}

// handIn gives the mail to the server: sent is when it took it, or fate says
// what else has become of it. The farewell is no part of the result: the mail
// is on its way meanwhile.
func (c *Check) handIn(ctx context.Context, post Post, m Mail, family checks.Family) (r checks.Result, sent time.Time, fate smtp.Fate) {
	leave, err := post.Submit(ctx)
	if err != nil {
		return failed(ctx, err), sent, smtp.Unsent
	}
	defer func() { leave(r) }() // whatever happens: others wait for the account
	fate = smtp.Unsent
	r = checks.Record(ctx, c.timeout, func(ctx context.Context, rec *checks.Recorder) error {
		s, err := c.submit.Open(ctx, rec, family)
		if err != nil {
			return err
		}
		defer s.Quit(ctx)
		fate = smtp.Doubtful // should anything panic from here on
		err = s.Submit(ctx, m.From, m.To, []byte(m.message()))
		if err == nil {
			sent = time.Now()
		}
		if refusal, ok := errors.AsType[*smtp.SubmitError](err); ok {
			fate = refusal.Fate
		}
		return err
	})
	if !sent.IsZero() {
		r = submitted(r)
	}
	return r, sent, fate
}

// submitted leaves the farewell out of a result.
func submitted(r checks.Result) checks.Result {
	r.Phases = slices.DeleteFunc(slices.Clone(r.Phases), func(p checks.PhaseTiming) bool { return p.Name == checks.Logout })
	r.Detail = ""
	return r
}

// Resume goes on looking for a mail that an earlier life of the probe has sent
// and not observed, and returns its observation for the given region; ok is
// false when ctx ended before there was one.
func (c *Check) Resume(ctx context.Context, post Post, m Mail, region string) (o checks.Observation, ok bool) {
	o = m.Observation(region)
	if !m.Sent.IsZero() && m.IsOpen() {
		o.Result = c.await(ctx, post, m)
	}
	return o, ctx.Err() == nil || o.Outcome != checks.Unknown
}
