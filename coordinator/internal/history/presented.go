package history

import (
	"context"
	"fmt"
	"slices"
	"time"

	"varde/checks"
)

// Presented is what a server showed to one probe last, at one address.
type Presented struct {
	Check, Region, Probe string
	Family               checks.Family
	// Address is the one that was dialled, without its port.
	Address string
	// At is when it was seen last.
	At time.Time
	// Handshake is shared by all that were shown the same, and not to be changed.
	Handshake *checks.Handshake
}

// maxPresented is how much is returned at most: a thousand checks of twenty probes
// over both families.
const maxPresented = 40_000

// Presented returns what servers showed since the given time, of one check or of all
// if it is empty: for each probe that is to run it, each family and each address to
// which the name still leads, what was shown last, and what else was shown there in
// turn: several servers may stand behind one address.
func (s *Store) Presented(ctx context.Context, check string, since time.Time) ([]Presented, error) {
	shown, err := s.shown(ctx, check, since)
	if err != nil {
		return nil, err
	}
	rows, err := s.reads.QueryContext(ctx, `SELECT check_id, family, probe, address, region, chain, at FROM sighting
		WHERE (?1 = '' OR check_id = ?1) AND at >= ?2 AND chain <> ''
		ORDER BY check_id, region, probe, family, address, at DESC, chain LIMIT ?3`,
		check, since.UnixNano(), maxPresented)
	if err != nil {
		return nil, fmt.Errorf("read what servers showed: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	out := []Presented{}
	for rows.Next() {
		var p Presented
		var family, chain string
		var at int64
		if err := rows.Scan(&p.Check, &family, &p.Probe, &p.Address, &p.Region, &chain, &at); err != nil {
			return nil, fmt.Errorf("read what servers showed: %w", err)
		}
		if err := p.Family.UnmarshalText([]byte(family)); err != nil {
			return nil, fmt.Errorf("read what servers showed: %w", err)
		}
		p.At, p.Handshake = time.Unix(0, at).UTC(), shown[chain]
		if p.Handshake != nil { // else it was shown for the first time just now
			out = append(out, p)
		}
	}
	return s.standing(out), rows.Err()
}

// staysFor is how long something stands after a probe's last look at it while the
// check is shown others: names lead to several addresses in turn.
const staysFor = time.Hour

// turns is after how many looks at an address what it does not show again is gone. Of
// two servers that answer in turn, one is missed that often once in a thousand times.
const turns = 10

// standing leaves out what nobody looks at any more: a check or probe is gone, or
// the probe is cut off or was led to other addresses or servers, for some rounds at
// least.
func (s *Store) standing(list []Presented) []Presented {
	type side struct {
		check  string
		family checks.Family
	}
	type spot struct {
		side
		probe, address string
	}
	sides, spots := make(map[side]time.Time), make(map[spot]time.Time) // when each was seen last
	at := func(p Presented) spot { return spot{side{p.Check, p.Family}, p.Probe, p.Address} }
	for _, p := range list {
		here := at(p)
		sides[here.side], spots[here] = later(sides[here.side], p.At), later(spots[here], p.At)
	}
	config := s.options.Config()
	return slices.DeleteFunc(list, func(p Presented) bool {
		k, asked := config.asks(p.Check, p.Probe)
		left := sides[at(p).side].Sub(p.At) > max(staysFor, 3*k.Every)
		replaced := spots[at(p)].Sub(p.At) > min(staysFor, turns*k.Every)
		return !asked || !k.over(p.Family) || left || replaced
	})
}

// shown are the handshakes by their hash.
func (s *Store) shown(ctx context.Context, check string, since time.Time) (map[string]*checks.Handshake, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT hash, handshake FROM chain WHERE hash IN
		(SELECT chain FROM sighting WHERE (?1 = '' OR check_id = ?1) AND at >= ?2) LIMIT ?3`, check, since.UnixNano(), maxPresented)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	out := make(map[string]*checks.Handshake)
	for rows.Next() {
		var hash string
		var text []byte
		if err := rows.Scan(&hash, &text); err != nil {
			return nil, fmt.Errorf("read certificates: %w", err)
		}
		if out[hash], err = handshakeOf(text); err != nil {
			return nil, fmt.Errorf("read certificates: %w", err)
		}
	}
	return out, rows.Err()
}

// AnnotationQuery chooses annotations. An empty field chooses all.
type AnnotationQuery struct {
	Check string
	// From and To bound their times, [From, To).
	From, To time.Time
	// Limit is the largest number returned: 100 if zero, at most 1,000.
	Limit int
}

// Annotations lists what changed in what servers show, the newest first.
func (s *Store) Annotations(ctx context.Context, q AnnotationQuery) ([]Annotation, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT at, check_id, region, family, probe, kind, was, became FROM annotation
		WHERE (?1 = '' OR check_id = ?1) AND at >= ?2 AND at < ?3 ORDER BY at DESC, id DESC LIMIT ?4`,
		q.Check, q.From.UnixNano(), q.To.UnixNano(), limited(q.Limit, defaultLimit, maxLimit))
	if err != nil {
		return nil, fmt.Errorf("read annotations: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	out := []Annotation{}
	for rows.Next() {
		var a Annotation
		var at int64
		var family string
		if err := rows.Scan(&at, &a.Check, &a.Region, &family, &a.Probe, &a.Kind, &a.From, &a.To); err != nil {
			return nil, fmt.Errorf("read annotations: %w", err)
		}
		if err := a.Family.UnmarshalText([]byte(family)); err != nil {
			return nil, fmt.Errorf("read annotations: %w", err)
		}
		a.At = time.Unix(0, at).UTC()
		out = append(out, a)
	}
	return out, rows.Err()
}

// limited is how many are listed where so many are asked for.
func limited(asked, usual, most int) int {
	if asked <= 0 {
		return usual
	}
	return min(asked, most)
}
