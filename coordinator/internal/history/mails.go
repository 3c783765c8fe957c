package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"varde/checks"
	"varde/coordinator/internal/mail"
)

// MailQuery chooses test mails. An empty field chooses all.
type MailQuery struct {
	Route string
	// Services are those of which any will do.
	Services []string
	// From and To bound the times at which they were sent, [From, To).
	From, To time.Time
	// Notable leaves out those that arrived in time, in the inbox and without a
	// failed check of their sender.
	Notable bool
	// Limit is the largest number listed: 1,000 if zero, at most 10,000.
	Limit int
}

// Limits of one answer.
const (
	defaultMails = 1000
	mostMails    = 10_000
	maxRoutes    = 200
)

// The conditions of a query, and what a mail is at the time ?5.
const (
	mailsOf = ` FROM mail WHERE sent >= ?1 AND sent < ?2`

	isLost    = `delay IS NULL AND final = 2`
	isUnknown = `delay IS NULL AND (final = 1 OR final = 0 AND sent < ?5)`
	isPending = `delay IS NULL AND final = 0 AND sent >= ?5`
	isOdd     = `(delay IS NULL OR late OR junk OR spf IN (` + notPassed + `) OR dkim IN (` + notPassed + `) OR dmarc IN (` + notPassed + `))`

	// notPassed are the results of RFC 8601 section 2.7 that speak against a mail.
	notPassed = `'fail', 'softfail', 'policy', 'temperror', 'permerror'`
)

// conditions are those of the query. What is not asked for is none of them: the index
// of routes serves where one is, which an "or" would not let it do.
func (q MailQuery) conditions() string {
	c := mailsOf
	if q.Route != "" {
		c += ` AND route = ?3`
	}
	if len(q.Services) > 0 {
		c += ` AND service IN (SELECT value FROM json_each(?4))`
	}
	return c
}

// args are those of the conditions.
func (q MailQuery) args(now time.Time) []any {
	services, _ := json.Marshal(append([]string{}, q.Services...)) // strings always marshal
	return []any{q.From.UnixNano(), q.To.UnixNano(), q.Route, string(services), now.Add(-mail.WordBy).UnixNano()}
}

// MailSums adds up what became of the mails as it is known now: of all of them, and
// of each route, the busiest first.
func (s *Store) MailSums(ctx context.Context, q MailQuery) (all mail.Sums, routes []mail.Route, err error) {
	now := time.Now()
	list, err := s.mailSums(ctx, q, now, `''`)
	if err != nil || len(list) == 0 {
		return all, []mail.Route{}, err
	}
	all = list[0].Sums
	routes, err = s.mailSums(ctx, q, now, `route`)
	return all, routes, err
}

// mailSums adds the mails up by the given column.
func (s *Store) mailSums(ctx context.Context, q MailQuery, now time.Time, by string) ([]mail.Route, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT `+by+` AS name, count(*), count(delay), coalesce(sum(delay IS NOT NULL AND NOT late), 0),
		sum(late), sum(`+isPending+`), sum(`+isLost+`), sum(`+isUnknown+`), sum(junk), coalesce(max(delay), 0),
		min(sent), max(sent), min(iif(`+isPending+`, sent, NULL))`+q.conditions()+` GROUP BY name ORDER BY count(*) DESC, name LIMIT ?6`,
		append(q.args(now), maxRoutes)...)
	if err != nil {
		return nil, fmt.Errorf("add mails up: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	out := []mail.Route{}
	for rows.Next() {
		var r mail.Route
		var first, last int64
		var waiting sql.NullInt64
		if err := rows.Scan(&r.Route, &r.Sent, &r.Arrived, &r.InTime, &r.Late, &r.Pending, &r.Lost, &r.Unknown, &r.Junk,
			&r.Longest, &first, &last, &waiting); err != nil {
			return nil, fmt.Errorf("add mails up: %w", err)
		}
		r.First, r.Last = time.Unix(0, first).UTC(), time.Unix(0, last).UTC()
		if waiting.Valid {
			r.Waiting = time.Unix(0, waiting.Int64).UTC()
		}
		out = append(out, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("add mails up: %w", err)
	}
	for i := range out {
		r := &out[i]
		one := q
		if by == `route` {
			one.Route = r.Route
		}
		for share, to := range map[float64]*time.Duration{0.5: &r.P50, 0.95: &r.P95} {
			if *to, err = s.delay(ctx, one, now, r.Arrived, share); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// delay is the one that the given share of n mails that arrived did not exceed.
func (s *Store) delay(ctx context.Context, q MailQuery, now time.Time, n int, share float64) (d time.Duration, err error) {
	if n == 0 {
		return 0, nil
	}
	rank := int(math.Ceil(share * float64(n)))
	err = s.reads.QueryRowContext(ctx, `SELECT delay`+q.conditions()+` AND delay IS NOT NULL AND ?5 = ?5 ORDER BY delay LIMIT 1 OFFSET ?6`,
		append(q.args(now), rank-1)...).Scan(&d)
	if err != nil && !errors.Is(err, sql.ErrNoRows) { // one may have come late
		return 0, fmt.Errorf("read delay of mails: %w", err)
	}
	return d, nil
}

// Mails lists mails, those sent last first.
func (s *Store) Mails(ctx context.Context, q MailQuery) ([]checks.MailEvent, error) {
	only := ``
	if q.Notable {
		only = ` AND ` + isOdd
	}
	rows, err := s.reads.QueryContext(ctx, `SELECT mail, check_id, service, route, probe, region, sent, delay, late, final,
		`+isUnknown+`, junk, spf, dkim, dmarc`+q.conditions()+only+` ORDER BY sent DESC, probe, mail LIMIT ?6`,
		append(q.args(time.Now()), limited(q.Limit, defaultMails, mostMails))...)
	if err != nil {
		return nil, fmt.Errorf("read mails: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	out := []checks.MailEvent{}
	for rows.Next() {
		m, err := scanMail(rows)
		if err != nil {
			return nil, fmt.Errorf("read mails: %w", err)
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

func scanMail(rows *sql.Rows) (m checks.MailEvent, err error) {
	var sent int64
	var delay sql.NullInt64
	var late, unknown bool
	var final int
	err = rows.Scan(&m.Mail, &m.Check, &m.Service, &m.Route, &m.Probe, &m.Region, &sent, &delay, &late, &final,
		&unknown, &m.Junk, &m.SPF, &m.DKIM, &m.DMARC)
	m.Sent = time.Unix(0, sent).UTC()
	if delay.Valid {
		m.Found = m.Sent.Add(time.Duration(delay.Int64))
	}
	switch {
	case delay.Valid && !late:
		m.State = checks.MailArrived
	case !delay.Valid && final == mailLost:
		m.State = checks.MailLost
	case unknown:
		m.State = checks.MailUnknown
	case late:
		m.State = checks.MailLate
	default:
		m.State = checks.MailPending
	}
	return m, err
}

// MailStep is what became of the mails that were sent in one step of a window.
type MailStep struct {
	// At is the start of the step; steps in which none was sent are left out.
	At time.Time
	// Longest is the longest delay of those that arrived, zero if none did.
	Longest                                     time.Duration
	Sent, Arrived, Late, Pending, Lost, Unknown int
}

// MailSteps adds the mails up in steps from From on, oldest first.
func (s *Store) MailSteps(ctx context.Context, q MailQuery, step time.Duration) ([]MailStep, error) {
	if step <= 0 || q.To.Sub(q.From)/step > maxPoints {
		return nil, &QueryError{fmt.Sprintf("step %s, expected one that gives at most %d points", step, maxPoints)}
	}
	rows, err := s.reads.QueryContext(ctx, `SELECT (sent - ?1) / ?6 AS i, coalesce(max(delay), 0), count(*), count(delay),
		sum(late), sum(`+isPending+`), sum(`+isLost+`), sum(`+isUnknown+`)`+q.conditions()+` GROUP BY i ORDER BY i`,
		append(q.args(time.Now()), int64(step))...)
	if err != nil {
		return nil, fmt.Errorf("add mails up: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	var out []MailStep
	for rows.Next() {
		var i int64
		var m MailStep
		if err := rows.Scan(&i, &m.Longest, &m.Sent, &m.Arrived, &m.Late, &m.Pending, &m.Lost, &m.Unknown); err != nil {
			return nil, fmt.Errorf("add mails up: %w", err)
		}
		m.At = q.From.Add(time.Duration(i) * step).UTC()
		out = append(out, m)
	}
	return out, rows.Err()
}
