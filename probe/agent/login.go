package agent

import (
	"context"
	"fmt"
	"slices"
	"time"

	"varde/checks"
)

// maxRefused is after how many refusals in a row a login is left alone, or its
// provider locks the account, or the probe out.
const maxRefused = 2

// login is a user and the hash of a password, whatever checks use it.
type login struct {
	user   string
	secret [32]byte
}

// place is one service of one host: servers count connections and refusals by
// it.
type place struct {
	kind checks.Kind
	host string
}

// seat is a login at one place.
type seat struct {
	login
	place
}

// loginRecord is how logging in has gone.
type loginRecord struct {
	ladder
	// refused counts refusals in a row.
	refused int
}

// end notes what became of an attempt, and says whether a rest begins by it.
func (s *loginRecord) end(w welcome, retry bool, now time.Time) (rests bool) {
	switch w {
	case refused:
		s.refused++
		if retry || s.refused >= maxRefused {
			return s.climb(retry, now)
		}
	case welcomed:
		*s = loginRecord{}
	default:
		s.again(retry, now)
	}
	return false
}

// welcome is what a server said to a login.
type welcome uint8

const (
	unsaid welcome = iota
	refused
	welcomed
)

// welcomeOf reads it out of a result.
func welcomeOf(r checks.Result) welcome {
	tried := slices.ContainsFunc(r.Phases, func(p checks.PhaseTiming) bool { return p.Name == checks.Auth })
	switch {
	case r.Class == checks.AuthRejected:
		return refused
	case tried && r.FailedPhase != checks.Auth: // it came past that
		return welcomed
	}
	return unsaid
}

// account is one login at one place.
type account struct {
	loginRecord
	// whole is how the login has gone at all places together: a password that is
	// wrong is so everywhere, but one that is right can be refused at one place.
	whole *loginRecord
	// free holds one token while nobody here uses the account: one connection at
	// a time, whatever check or family it is for.
	free chan struct{}
}

// turn is the leave to log in. Whoever has it is the only one here with the
// account, until it leaves.
type turn struct {
	*account
	// retry and retryWhole say that this is the one attempt after a rest.
	retry, retryWhole bool
}

// enter waits for a turn with an account as long as patience and ctx allow. The
// time from when it returns is the server's, that before is not. Without a turn
// the failure says why, and is as good a result as any.
func (w *workload) enter(ctx context.Context, s seat, patience time.Duration) (*turn, *checks.Failure) {
	began := time.Now()
	a := w.account(s)
	give, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-a.free:
	case <-give.Done():
		return nil, &checks.Failure{
			Phase: checks.Auth, Class: checks.OwnLate,
			Detail: fmt.Sprintf("other runs here had the account for %s", time.Since(began).Round(time.Millisecond)),
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for _, l := range []*ladder{&a.ladder, &a.whole.ladder} {
		if l.resting(now) {
			a.free <- struct{}{}
			return nil, &checks.Failure{
				Phase: checks.Auth, Class: checks.AuthRejected,
				Detail: "the login was refused and is left alone until " + l.until(),
			}
		}
	}
	return &turn{a, a.try(now), a.whole.try(now)}, nil
}

// leave ends a turn, and says until when the login is left alone if a rest
// begins by what the server said.
func (w *workload) leave(t *turn, said welcome) (until time.Time, rests bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	here, whole := t.end(said, t.retry, now), t.whole.end(said, t.retryWhole, now)
	t.free <- struct{}{}
	if whole {
		return t.whole.next, true
	}
	return t.next, here
}

func (w *workload) account(s seat) *account {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.accounts[s]
	if a == nil {
		if w.logins[s.login] == nil {
			w.logins[s.login] = new(loginRecord)
		}
		a = &account{whole: w.logins[s.login], free: make(chan struct{}, 1)}
		a.free <- struct{}{}
		w.accounts[s] = a
	}
	return a
}
