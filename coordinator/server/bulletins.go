package server

import (
	"context"
	"fmt"
	"time"

	"varde/coordinator/internal/bulletin"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/mail"
	"varde/coordinator/internal/register"
)

// openBulletins opens the register of what the pages tell.
func (s *Server) openBulletins(ctx context.Context) error {
	policies, err := policiesOf(s.opts.Config)
	if err != nil {
		return fmt.Errorf("open bulletins: %w", err)
	}
	s.policies.Store(&policies)
	bucket, err := s.journal.Bucket(ctx, "bulletins")
	if err != nil {
		return fmt.Errorf("open bulletins: %w", err)
	}
	s.bulletins, err = register.OpenBulletins(ctx, register.BulletinOptions{
		Store:     bucketStore{bucket, register.ErrNotFound, register.ErrConflict},
		Incidents: func() []incident.Whole { return incident.Wholes(s.incidents.All()) }, World: s.world.Load,
		Policies: func() []bulletin.Policy { return *s.policies.Load() }, Mail: s.mailsSince, Changed: s.toldPages, Keep: s.opts.Config.Retention.Days,
		Logger: s.log.With("component", "bulletins"),
	})
	return err
}

// policiesOf are what the pages of a configuration tell, and when.
func policiesOf(c config.Config) ([]bulletin.Policy, error) {
	out := make([]bulletin.Policy, len(c.Pages))
	for i, p := range c.Pages {
		words, err := p.Lexicon()
		if err != nil {
			return nil, err
		}
		out[i] = bulletin.Policy{
			Page: p.ID, Services: p.Services, Mode: p.Tell, Within: p.ApproveWithin, Lexicon: words,
			Dwell: map[incident.Impact]time.Duration{incident.MinorImpact: p.Dwell.Minor, incident.MajorImpact: p.Dwell.Major, incident.CriticalImpact: p.Dwell.Critical},
		}
	}
	return out, nil
}

// mailsFor bounds the reading of what became of mails while something is told.
const mailsFor = 2 * time.Second

// mailsSince is what became of the test mails of services; nothing where it cannot be read
// in time, for what is to be told must not wait.
func (s *Server) mailsSince(services []string, since time.Time) mail.Sums {
	ctx, cancel := context.WithTimeout(context.Background(), mailsFor)
	defer cancel()
	sums, _, err := s.history.MailSums(ctx, history.MailQuery{Services: services, From: since, To: time.Now()})
	if err != nil {
		s.log.Warn("mails cannot be read for a bulletin", "error", err)
		return mail.Sums{}
	}
	return sums
}

// toldPages is told of every bulletin that changed after it is on disk.
func (s *Server) toldPages([]bulletin.Bulletin) {
	if site := s.site.Load(); site != nil {
		site.Renew()
	}
}

// Bulletins returns what the pages tell of an incident.
func (c cases) Bulletins(_ context.Context, id string) ([]bulletin.Bulletin, error) {
	x, ok := incident.WholeOf(c.incidents.All(), id)
	if !ok {
		return nil, fmt.Errorf("incident %q: %w", id, register.ErrNoIncident)
	}
	out := []bulletin.Bulletin{}
	for _, b := range c.bulletins.All() {
		if b.Incident == x.ID {
			out = append(out, b)
		}
	}
	return out, nil
}

// OrderBulletin does what a person wants with what a page tells of an incident.
func (c cases) OrderBulletin(ctx context.Context, page, id string, o bulletin.Order) (bulletin.Bulletin, error) {
	return c.bulletins.Do(ctx, page, id, o)
}
