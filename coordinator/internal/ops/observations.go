package ops

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"varde/checks"
)

// Cursor is a place among observations in the order of their ends, the newest
// first, and of those that ended together. Zero is before all.
type Cursor struct {
	End          time.Time
	Probe, Epoch string
	Seq          uint64
}

// String writes the cursor as the parameter of that name has it.
func (c Cursor) String() string {
	return fmt.Sprintf("%d_%s_%s_%d", c.End.UnixNano(), c.Probe, c.Epoch, c.Seq)
}

// parseCursor reads what String wrote.
func parseCursor(text string) (Cursor, error) {
	f := strings.Split(text, "_")
	if len(f) != 4 {
		return Cursor{}, fmt.Errorf("%d parts", len(f))
	}
	end, err1 := strconv.ParseInt(f[0], 10, 64)
	seq, err2 := strconv.ParseUint(f[3], 10, 64)
	return Cursor{time.Unix(0, end).UTC(), f[1], f[2], seq}, errors.Join(err1, err2)
}

func (s *Server) apiObservations(w http.ResponseWriter, r *http.Request) {
	q := ask(r.URL.Query())
	q.only("check", "probe", "region", "outcome", "from", "to", "limit", "cursor")
	query := ObservationQuery{
		Check: q.id("check"), Probe: q.id("probe"), Region: q.id("region"), After: q.cursor("cursor"),
		From: q.time("from", time.Time{}), To: q.time("to", time.Time{}), Limit: q.number("limit", defaultLimit, 1, maxLimit),
	}
	if word := q.oneOf("outcome", []string{"up", "down", "unknown"}); word != "" && q.err == nil {
		var o checks.Outcome
		if err := o.UnmarshalText([]byte(word)); err != nil {
			q.fail("outcome: %w", err)
		}
		query.Outcomes = []checks.Outcome{o}
	}
	if !query.From.IsZero() && !query.To.IsZero() && !query.From.Before(query.To) {
		q.fail("from is not before to, expected the runs that ended at from or later and before to")
	}
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		now.expect(q, query.Check, query.Region)
		if q.err != nil {
			apiError(w, http.StatusBadRequest, q.err.Error())
			return nil
		}
		found, next, err := s.observations.Observations(ctx, query)
		if err != nil {
			return fmt.Errorf("read observations: %w", err)
		}
		linkNext(w, r.URL, next)
		s.answer(w, list(found))
		return nil
	})
}

// linkNext says where the list goes on (RFC 8288), and nothing where it ends. A
// client that follows the links until there is none has every observation once,
// also those that ended at the same moment.
func linkNext(w http.ResponseWriter, from *url.URL, next Cursor) {
	if next.End.IsZero() {
		return
	}
	values := from.Query()
	values.Set("cursor", next.String())
	link := url.URL{Path: from.Path, RawQuery: values.Encode()}
	w.Header().Set("Link", "<"+link.String()+`>; rel="next"`)
}
