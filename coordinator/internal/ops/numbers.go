package ops

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/mail"
)

// NumbersQuery asks for all that is said of a service.
type NumbersQuery struct {
	Service  string
	From, To time.Time
	// Objective is the share of the time that was promised, from 0 to 1; zero for none.
	Objective float64
	// Curve asks for the worst windows, which are dear to find.
	Curve bool
}

// Objective is the share of the time that is promised, from 0 to 1; zero for none.
func (s Service) Objective() float64 { return math.Round(s.SLO*1e8) / 1e10 }

// account is what is said of a service: its numbers with the mails beside them.
type account struct {
	availability.Numbers
	service Service
	mail    mail.Sums
	// round says that mails are sent for the service.
	round bool
}

// account reads what is said of a service.
func (s *Server) account(ctx context.Context, now Now, service Service, from, to time.Time, curve bool) (account, error) {
	a := account{service: service}
	var err error
	a.Numbers, err = s.history.Numbers(ctx, NumbersQuery{Service: service.ID, From: from, To: to, Objective: service.Objective(), Curve: curve})
	if err != nil {
		return a, fmt.Errorf("read numbers of %s: %w", service.ID, err)
	}
	m, err := s.ledger.Mail(ctx, MailQuery{Services: []string{service.ID}, From: from, To: to, Limit: 1})
	if err != nil {
		return a, fmt.Errorf("read mails of %s: %w", service.ID, err)
	}
	a.mail = m.Sums
	a.round = slices.ContainsFunc(now.Checks, func(c checks.Target) bool {
		return c.Service == service.ID && c.Kind == checks.RoundTrip
	})
	return a, nil
}
