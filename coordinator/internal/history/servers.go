package history

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"reflect"
	"time"

	"varde/checks"
)

// AnnotationKind says what of a server changed.
type AnnotationKind string

// The kinds of annotations.
const (
	// IssuerChanged says that the server's certificate has another issuer.
	IssuerChanged AnnotationKind = "issuer"
	// KeyChanged says that it has another key.
	KeyChanged AnnotationKind = "key"
	// AddressChanged says that the name leads to another address.
	AddressChanged AnnotationKind = "address"
)

func annotationKinds() []AnnotationKind {
	return []AnnotationKind{AddressChanged, IssuerChanged, KeyChanged}
}

// Annotation is one change in what a server shows of itself.
type Annotation struct {
	// At is when it was first seen, by Probe in Region over Family.
	At                   time.Time
	Check, Region, Probe string
	Family               checks.Family
	Kind                 AnnotationKind
	From, To             string
}

// meeting is one address with what was presented there; what was not shown is
// empty.
type meeting struct {
	address, issuer, key string
	// chain is the hash of all that was presented.
	chain string
}

func (m meeting) value(k AnnotationKind) string {
	switch k {
	case AddressChanged:
		return m.address
	case IssuerChanged:
		return m.issuer
	}
	return m.key
}

// What a probe remembers of one check over one family.
const (
	// familiar is how long something that was seen is nothing new: names lead to
	// several addresses in turn, and behind one address stand several servers.
	familiar = day
	// maxMeetings is how many are remembered.
	maxMeetings = 32
	// inTurn is how many values within that time make another one no news: a
	// network that hands out addresses from a large stock has not moved.
	inTurn = 8
	// maxAnnotations is how many annotations of a check are kept of a day and kind.
	maxAnnotations = 50
)

// viewpoint is one probe that looks at one check over one family.
type viewpoint struct {
	check, probe string
	family       checks.Family
}

// memory is whom a viewpoint has met.
type memory struct {
	region string
	met    map[meeting]*sighting
	// recent is the last that was seen, nil if none is remembered.
	recent *sighting
	// gone are not deleted yet.
	gone map[meeting]struct{}
}

// sighting is a meeting with its last time.
type sighting struct {
	meeting
	at time.Time
	// changed says that it is not written yet.
	changed bool
}

// servers remember what every viewpoint was shown.
type servers struct {
	s      *Store
	known  map[viewpoint]*memory
	dirty  map[viewpoint]struct{}
	latest map[[2]string]shown // by check and region: most looks are shown the same again
	chains map[string][]byte   // shown, and not written yet
	notes  []Annotation
}

// shown is a handshake as it came, and as it is kept.
type shown struct {
	tls  *checks.Handshake
	hash string
	text []byte
}

func newServers(s *Store) *servers {
	return &servers{
		s: s, known: make(map[viewpoint]*memory), dirty: make(map[viewpoint]struct{}),
		latest: make(map[[2]string]shown), chains: make(map[string][]byte),
	}
}

// look takes note of what an observation was shown, and of what changed since the
// viewpoint's last look. What ended before that is remembered and changes nothing.
func (v *servers) look(o checks.Observation) error {
	m, text, err := v.meetingOf(o)
	if err != nil || m == (meeting{}) || o.Class == checks.OwnError {
		return err // the time of an own_error is not to be believed
	}
	at := viewpoint{o.Check, o.Probe, o.Family}
	mem := v.known[at]
	if mem == nil {
		if mem, err = v.s.remember(at); err != nil {
			return fmt.Errorf("read what servers showed: %w", err)
		}
		v.known[at] = mem
	}
	mem.region = o.Region
	v.dirty[at] = struct{}{}
	if mem.again(m, o.End()) {
		return nil
	}
	for _, kind := range annotationKinds() {
		if was, news := mem.news(kind, m.value(kind), o.End()); news {
			v.notes = append(v.notes, Annotation{
				At: o.End(), Check: o.Check, Region: o.Region, Probe: o.Probe, Family: o.Family, Kind: kind, From: was, To: m.value(kind),
			})
		}
	}
	if mem.see(m, o.End()) {
		v.chains[m.chain] = text
	}
	return nil
}

// again takes note of a meeting that is the same as the last one and so nothing new, as
// most are.
func (m *memory) again(one meeting, at time.Time) bool {
	r := m.recent
	if r == nil || r.meeting != one || r.at.After(at) || at.Sub(r.at) >= familiar {
		return false
	}
	r.changed = r.changed || at.After(r.at)
	r.at = at
	return true
}

// meetingOf is whom the observation met, and what was presented as it is kept.
func (v *servers) meetingOf(o checks.Observation) (m meeting, text []byte, err error) {
	if host, _, err := net.SplitHostPort(o.Address); err == nil {
		m.address = host
	}
	if o.TLS == nil || len(o.TLS.Chain) == 0 {
		return m, nil, nil
	}
	at := [2]string{o.Check, o.Region}
	s := v.latest[at]
	if !reflect.DeepEqual(s.tls, o.TLS) {
		text, err := json.Marshal(o.TLS)
		if err != nil {
			return m, nil, err
		}
		sum := sha256.Sum256(text)
		s = shown{o.TLS, hex.EncodeToString(sum[:16]), text}
		v.latest[at] = s
	}
	m.issuer, m.key, m.chain = s.tls.Chain[0].Issuer, s.tls.Chain[0].Key, s.hash
	return m, s.text, nil
}

// news says whether a value is new at the given time, and what stood in its place.
func (m *memory) news(kind AnnotationKind, value string, at time.Time) (was string, news bool) {
	if value == "" {
		return "", false
	}
	var newest time.Time
	for _, met := range m.met {
		switch v := met.value(kind); {
		case met.at.After(at): // it is late
			return "", false
		case v == value && at.Sub(met.at) < familiar:
			return "", false
		case v != "" && (met.at.After(newest) || met.at.Equal(newest) && v > was):
			was, newest = v, met.at
		}
	}
	return was, was != "" && was != value && m.lately(kind, at) < inTurn
}

// lately is how many different values are familiar at the given time.
func (m *memory) lately(kind AnnotationKind, at time.Time) int {
	values := make(map[string]struct{})
	for _, met := range m.met {
		if v := met.value(kind); v != "" && at.Sub(met.at) < familiar {
			values[v] = struct{}{}
		}
	}
	return len(values)
}

// see remembers a meeting; it says whether that is the first of its kind for long.
func (m *memory) see(one meeting, at time.Time) (first bool) {
	met := m.met[one]
	if met == nil {
		met, first = &sighting{meeting: one}, true
		m.met[one] = met
		delete(m.gone, one)
	} else if !at.After(met.at) {
		return false
	}
	first = first || at.Sub(met.at) >= familiar
	met.at, met.changed, m.recent = at, true, met
	for len(m.met) > maxMeetings {
		m.forget(m.oldest())
	}
	return first
}

func (m *memory) forget(one *sighting) {
	delete(m.met, one.meeting)
	if m.recent == one {
		m.recent = nil
	}
	m.gone[one.meeting] = struct{}{}
}

func (m *memory) oldest() (oldest *sighting) {
	for _, met := range m.met {
		if oldest == nil || met.at.Before(oldest.at) || met.at.Equal(oldest.at) && met.chain+met.address < oldest.chain+oldest.address {
			oldest = met
		}
	}
	return oldest
}

// remember reads what a viewpoint was shown.
func (s *Store) remember(at viewpoint) (*memory, error) {
	m := &memory{met: make(map[meeting]*sighting), gone: make(map[meeting]struct{})}
	rows, err := s.reads.Query(`SELECT region, address, chain, at, handshake FROM sighting LEFT JOIN chain ON hash = chain
		WHERE check_id = ? AND family = ? AND probe = ?`, at.check, at.family.String(), at.probe)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	for rows.Next() {
		var one meeting
		var last int64
		var shown sql.Null[[]byte]
		if err := rows.Scan(&m.region, &one.address, &one.chain, &last, &shown); err != nil {
			return nil, err
		}
		if shown.Valid {
			h, err := handshakeOf(shown.V)
			if err != nil {
				return nil, err
			}
			one.issuer, one.key = h.Chain[0].Issuer, h.Chain[0].Key
		}
		m.met[one] = &sighting{meeting: one, at: time.Unix(0, last).UTC()}
	}
	return m, rows.Err()
}

// handshakeOf reads what was presented as it is kept: a certificate at least.
func handshakeOf(shown []byte) (*checks.Handshake, error) {
	var h checks.Handshake
	if err := json.Unmarshal(shown, &h); err != nil {
		return nil, err
	}
	if len(h.Chain) == 0 {
		return nil, errors.New("no certificate is in it")
	}
	return &h, nil
}

// saveAnnotation leaves out what another probe of the region, or the same over
// another way, has told within a day, and what is too much for a day.
const saveAnnotation = `INSERT INTO annotation (at, check_id, region, family, probe, kind, was, became)
	SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
	WHERE NOT EXISTS (SELECT 1 FROM annotation WHERE check_id = ?2 AND region = ?3 AND family = ?4 AND kind = ?6 AND became = ?8
		AND at > ?1 - ?9 AND at < ?1 + ?9)
	AND (SELECT count(*) FROM annotation WHERE check_id = ?2 AND kind = ?6 AND at > ?1 - ?9 AND at < ?1 + ?9) < ?10`

// save writes what changed.
func (v *servers) save(w *writer) {
	for hash, shown := range v.chains {
		if hash != "" {
			w.exec(`INSERT OR IGNORE INTO chain (hash, handshake) VALUES (?, ?)`, hash, string(shown))
		}
	}
	for at := range v.dirty {
		mem := v.known[at]
		for _, met := range mem.met {
			if met.changed {
				w.exec(saveSighting, at.check, at.family.String(), at.probe, met.address, met.chain, mem.region, met.at.UnixNano())
			}
		}
		for one := range mem.gone {
			w.exec(`DELETE FROM sighting WHERE check_id = ? AND family = ? AND probe = ? AND address = ? AND chain = ?`,
				at.check, at.family.String(), at.probe, one.address, one.chain)
		}
	}
	for _, n := range v.notes {
		w.exec(saveAnnotation, n.At.UnixNano(), n.Check, n.Region, n.Family.String(), n.Probe, string(n.Kind), n.From, n.To,
			int64(familiar), maxAnnotations)
	}
}

// saved says that what save wrote is on disk.
func (v *servers) saved() {
	for at := range v.dirty {
		for _, met := range v.known[at].met {
			met.changed = false
		}
		clear(v.known[at].gone)
	}
	clear(v.dirty)
	clear(v.chains)
	v.notes = nil
}
