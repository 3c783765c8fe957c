package ops

import (
	"context"
	"net/http"
	"slices"
	"time"

	"varde/coordinator/internal/record"
)

func (a account) json() record.Numbers {
	return record.OfNumbers(a.service.ID, a.service.Objective(), a.Numbers, a.mail)
}

// numbersFor is how far back numbers go where nobody says: that of an objective.
const numbersFor = 30 * 24 * time.Hour

func (s *Server) apiNumbers(w http.ResponseWriter, r *http.Request) {
	q := ask(r.URL.Query())
	q.only("service", "from", "to")
	id := q.id("service")
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		from, to := q.windowOf(now.At, numbersFor)
		i := slices.IndexFunc(now.Services, func(x Service) bool { return x.ID == id })
		switch {
		case id == "":
			q.fail("no service given, expected service=ID")
		case i < 0:
			q.fail("service %q is not configured", id)
		case !from.Before(now.At):
			q.fail("from %s has not come yet", from.Format(time.RFC3339))
		}
		if q.err != nil {
			apiError(w, http.StatusBadRequest, q.err.Error())
			return nil
		}
		a, err := s.account(ctx, now, now.Services[i], from, to, true)
		if err != nil {
			return err
		}
		s.answer(w, a.json())
		return nil
	})
}
