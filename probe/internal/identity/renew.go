package identity

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Times of renewal.
const (
	// look is how often the clock is looked at: timers stand still while a
	// machine sleeps, its clock does not.
	look = time.Hour
	// firstRetry and lastRetry bound the wait after a renewal that failed; it
	// doubles from one to the other, and a tenth of it is left to chance.
	firstRetry = time.Minute
	lastRetry  = time.Hour
	// renewTimeout bounds one attempt.
	renewTimeout = time.Minute
)

// KeepFresh renews the certificate whenever a third of its life has passed,
// expired or not, by asking renew with a certificate request (DER) for a chain
// (DER, leaf first). What fails is logged and tried again. It returns nil when
// ctx has ended.
//
// The key stays the same: a machine that is set back to an older copy of its
// disk then still holds the key that the roster knows.
func (i *Identity) KeepFresh(ctx context.Context, renew func(ctx context.Context, requestDER []byte) ([][]byte, error)) error {
	failed := 0
	for {
		wait := i.due(time.Now())
		if wait <= 0 {
			wait = look
			if err := i.renew(ctx, renew); ctx.Err() != nil {
				return nil
			} else if err != nil {
				wait = retry(failed)
				failed++
				i.log.Warn("renew certificate", "error", err, "expires", i.NotAfter(), "retry_in", wait)
			} else {
				failed = 0
				i.log.Info("certificate renewed", "expires", i.NotAfter())
			}
		}
		timer := time.NewTimer(min(wait, look))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// due is the time until the certificate should be renewed, zero or less when
// that is now. A clock that was set back makes it now: who knows how old the
// certificate is.
func (i *Identity) due(at time.Time) time.Duration {
	s := i.now.Load()
	age := at.Round(0).Sub(s.file.Obtained)
	if age < 0 {
		return 0
	}
	return s.leaf.NotAfter.Sub(s.leaf.NotBefore)/3 - age
}

// retry is the wait after so many failures in a row before this one.
func retry(failed int) time.Duration {
	d := min(firstRetry<<min(failed, 6), lastRetry) // 2^6 minutes are more than an hour
	return d - d/10 + rand.N(d/5)
}

// renew gets one certificate, keeps it and uses it from then on.
func (i *Identity) renew(ctx context.Context, renew func(context.Context, []byte) ([][]byte, error)) error {
	request, err := newRequest(i.now.Load().key)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	chain, err := renew(ctx, request)
	if err != nil {
		return err
	}
	return i.replace(func(f *file) error {
		f.Chain, f.Obtained = chain, time.Now().UTC().Round(0)
		s, err := f.parse()
		if err == nil {
			err = s.verifyLeaf()
		}
		if err != nil {
			return fmt.Errorf("the answer is not a certificate for this probe: %w", err)
		}
		return nil
	})
}
