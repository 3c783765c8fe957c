package server

import (
	"context"
	"sync/atomic"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/mail"
	"varde/coordinator/internal/meter"
	"varde/coordinator/internal/ops"
	"varde/coordinator/internal/verdict"
)

// reckoned is what a scrape tells and cannot wait for: it is read from the history
// beside the scrapes, and only while there are any.
type reckoned struct {
	// at is when it was read.
	at time.Time
	// numbers are those of the services by their ids, over reckonedOver.
	numbers map[string]availability.Numbers
	// routes are what became of the test mails that were sent within mailsOver.
	routes []mail.Route
	// ends is the first end of what each check's servers present, seriesEnds that of
	// each series.
	ends       map[string]time.Time
	seriesEnds map[verdict.Series]time.Time
}

// reckoning keeps the newest of them.
type reckoning struct {
	// wanted holds something when somebody has scraped.
	wanted chan struct{}
	newest atomic.Pointer[reckoned]
}

func newReckoning() *reckoning { return &reckoning{wanted: make(chan struct{}, 1)} }

const (
	// reckonEvery is how old it may be: a minute is the finest that numbers are made of.
	reckonEvery = time.Minute
	// reckonShare is how much longer than it takes to read is the pause after it: it
	// shall cost a twentieth of a core at most.
	reckonShare = 19
	// reckonTimeout bounds one reading.
	reckonTimeout = time.Minute
	// reckonedOver is the time that an objective is for, mailsOver one that has many
	// mails and is still now.
	reckonedOver = 30 * 24 * time.Hour
	mailsOver    = 24 * time.Hour
)

// read returns the newest, nothing if there is none yet, and has it made anew when
// it is due.
func (r *reckoning) read() reckoned {
	select {
	case r.wanted <- struct{}{}:
	default:
	}
	if newest := r.newest.Load(); newest != nil {
		return *newest
	}
	return reckoned{}
}

// reckon makes what scrapes ask for until ctx ends.
func (s *Server) reckon(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.reckoning.wanted:
		}
		began := time.Now()
		if newest := s.reckoning.newest.Load(); newest != nil && began.Sub(newest.at) < reckonEvery {
			continue
		}
		next, err := s.reckoned(ctx, began)
		if err == nil {
			s.reckoning.newest.Store(&next)
		} else if ctx.Err() == nil {
			s.log.Warn("numbers for Prometheus cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(reckonShare * time.Since(began)):
		}
	}
}

func (s *Server) reckoned(ctx context.Context, now time.Time) (out reckoned, err error) {
	ctx, cancel := context.WithTimeout(ctx, reckonTimeout)
	defer cancel()
	out = reckoned{at: now, numbers: map[string]availability.Numbers{}}
	for _, service := range s.current().Services {
		out.numbers[service.ID], err = s.history.Numbers(ctx, history.NumbersQuery{
			Service: service.ID, From: now.Add(-reckonedOver), To: now, Objective: objectiveOf(service),
		})
		if err != nil {
			return out, err
		}
	}
	if _, out.routes, err = s.history.MailSums(ctx, history.MailQuery{From: now.Add(-mailsOver), To: now}); err != nil {
		return out, err
	}
	presented := s.presentedNow(ctx)
	out.ends = firstEndsBy(presented, func(p ops.Presented) string { return p.Check })
	out.seriesEnds = firstEndsBy(presented, func(p ops.Presented) verdict.Series {
		return verdict.Series{Check: p.Check, Region: p.Region, Family: p.Family}
	})
	return out, nil
}

// objectiveOf is the share of the time that a service promises.
func objectiveOf(s config.Service) float64 { return s.SLO / 100 }

// newMeter makes what counts observations.
func (s *Server) newMeter() (err error) {
	s.reckoning = newReckoning()
	s.meter, err = meter.New(meter.Options{
		Source: source{s.journal}, Verdicts: s.history.Verdicts,
		CertificateEnds: func() map[verdict.Series]time.Time { return s.reckoning.read().seriesEnds },
	})
	return err
}
