package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"varde/proto/wire"
)

// The names in the store. After the incident, the last token of a subject is the
// minute of a part, in seconds since 1970.
const (
	archiveName    = "EVIDENCE"
	archivePrefix  = "varde.evidence."
	archiveSubject = archivePrefix + ">"
)

// ArchiveOptions configures an archive.
type ArchiveOptions struct {
	// MaxAge is how long something is kept at least, and a hundredth of it more at
	// most while Keep or Expire are called; 0 keeps it for ever.
	MaxAge time.Duration
	// MaxBytes bounds what is on disk; the oldest goes first. 0 is no bound.
	MaxBytes int64
}

// Archive keeps what was measured in incidents when the journal has forgotten it. It
// lies beside the journal and is written as safely. What is kept of an incident is in
// parts, one for each minute.
//
// Keeping the same again keeps it twice: whoever reads drops doubles. Nothing that is
// done here holds up an append.
type Archive struct {
	journal *Journal
	opts    ArchiveOptions

	mu    sync.Mutex // protects swept
	swept time.Time  // when old messages were last looked for
}

// Archive opens the archive, or makes it.
func (j *Journal) Archive(ctx context.Context, o ArchiveOptions) (*Archive, error) {
	if o.MaxAge < 0 || o.MaxBytes < 0 {
		return nil, fmt.Errorf("open archive: MaxAge %s and MaxBytes %d, expected zero or more", o.MaxAge, o.MaxBytes)
	}
	a := &Archive{journal: j, opts: o}
	if _, _, err := a.open(ctx); err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	return a, nil
}

// Keep keeps batches as a part of the given minute of an incident. When it returns
// without an error they are on disk; after one some of them may be. On a full disk it
// refuses as Append does, and what was kept stays.
//
// Every batch must be attributed. Ids of incidents are of a-z, 0-9 and -, at most 128.
func (a *Archive) Keep(ctx context.Context, incident string, minute time.Time, batches []wire.Batch) error {
	err := a.keep(ctx, incident, minute, batches)
	if err != nil {
		return fmt.Errorf("keep evidence of %.128q: %w", incident, err)
	}
	return nil
}

func (a *Archive) keep(ctx context.Context, incident string, minute time.Time, batches []wire.Batch) error {
	subject, err := subjectOf(incident, minute)
	if err != nil {
		return err
	}
	messages, err := archived(subject, batches)
	if err != nil {
		return err
	}
	if err := a.Expire(ctx); err != nil { // first: it may be what makes room
		return err
	}
	e, _, err := a.open(ctx)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if err := checkSpace(a.journal.opts.Dir, a.journal.opts.Reserve); err != nil {
			return err
		}
		if _, err := e.publish(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// archived makes the messages of batches: as many as their size asks for.
func archived(subject string, batches []wire.Batch) ([]*nats.Msg, error) {
	if len(batches) == 0 {
		return nil, errors.New("no batches")
	}
	for _, b := range batches {
		if err := checkBatch(b); err != nil {
			return nil, err
		}
	}
	data, err := wire.MarshalEntry(batches)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if len(data) <= maxMessage-maxHeader {
		return []*nats.Msg{{Subject: subject, Data: data}}, nil
	}
	if len(batches) == 1 {
		return nil, fmt.Errorf("batch of %d bytes, expected at most %d", len(data), maxMessage-maxHeader)
	}
	half := len(batches) / 2
	first, err := archived(subject, batches[:half])
	if err != nil {
		return nil, err
	}
	rest, err := archived(subject, batches[half:])
	return append(first, rest...), err
}

// Read calls fn with what is kept of a minute of an incident, in the order in which it
// was kept.
func (a *Archive) Read(ctx context.Context, incident string, minute time.Time, fn func([]wire.Batch) error) error {
	subject, err := subjectOf(incident, minute)
	if err != nil {
		return fmt.Errorf("read evidence: %w", err)
	}
	_, s, err := a.open(ctx)
	if err != nil {
		return fmt.Errorf("read evidence: %w", err)
	}
	for from := uint64(1); ; {
		m, err := s.stream.GetMsg(ctx, from, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read evidence of %s: %w", incident, err)
		}
		batches, err := wire.UnmarshalEntry(m.Data)
		if err != nil {
			return fmt.Errorf("read evidence of %s: message %d: %w: %w", incident, m.Sequence, errDecode, err)
		}
		if err := fn(batches); err != nil {
			return err
		}
		from = m.Sequence + 1
	}
}

// Minutes returns the minutes of an incident of which something is kept, in order.
func (a *Archive) Minutes(ctx context.Context, incident string) ([]time.Time, error) {
	if _, err := subjectOf(incident, time.Time{}); err != nil {
		return nil, fmt.Errorf("list evidence: %w", err)
	}
	tokens, err := a.tokens(ctx, archivePrefix+incident+".*", 1)
	if err != nil {
		return nil, fmt.Errorf("list evidence of %s: %w", incident, err)
	}
	out := make([]time.Time, 0, len(tokens))
	for _, text := range tokens {
		at, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("list evidence of %s: part %q, expected seconds since 1970", incident, text)
		}
		out = append(out, time.Unix(at, 0).UTC())
	}
	slices.SortFunc(out, time.Time.Compare)
	return out, nil
}

// Incidents returns the ids of the incidents of which something is kept, sorted.
func (a *Archive) Incidents(ctx context.Context) ([]string, error) {
	ids, err := a.tokens(ctx, archiveSubject, 0)
	if err != nil {
		return nil, fmt.Errorf("list evidence: %w", err)
	}
	return ids, nil
}

// tokens returns what stands at one place behind the prefix of the subjects that there
// are, sorted.
func (a *Archive) tokens(ctx context.Context, filter string, place int) ([]string, error) {
	_, s, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	info, err := s.stream.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, err
	}
	set := make(map[string]struct{})
	for subject := range info.State.Subjects {
		if t := strings.Split(strings.TrimPrefix(subject, archivePrefix), "."); place < len(t) {
			set[t[place]] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(set)), nil
}

// Expire discards what is older than MaxAge, if it is time to look for that.
func (a *Archive) Expire(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.opts.MaxAge == 0 || now.Sub(a.swept) < sweepEvery(a.opts.MaxAge) {
		return nil
	}
	_, s, err := a.open(ctx)
	if err == nil {
		_, err = s.expire(ctx, now.Add(-a.opts.MaxAge))
	}
	if err != nil {
		return fmt.Errorf("discard old evidence: %w", err)
	}
	a.swept = now
	return nil
}

// Size returns how many bytes of the disk the archive takes.
func (a *Archive) Size(ctx context.Context) (bytes uint64, err error) {
	_, s, err := a.open(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask for size of archive: %w", err)
	}
	info, err := s.stream.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask for size of archive: %w", err)
	}
	return info.State.Bytes, nil
}

// open returns the archive's stream, opened once an engine.
func (a *Archive) open(ctx context.Context) (*engine, *shelf, error) {
	e, err := a.journal.use(ctx)
	if err != nil {
		return nil, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.archive == nil {
		s, err := e.open(ctx, archiveName, archiveSubject, a.opts.MaxBytes)
		if err != nil {
			return nil, nil, err
		}
		e.archive = &s
	}
	return e, e.archive, nil
}

// maxIncident is the largest length of an incident's id, in bytes.
const maxIncident = 128

// subjectOf is the subject of one part. An id is one token of it.
func subjectOf(incident string, minute time.Time) (string, error) {
	strange := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	if incident == "" || len(incident) > maxIncident || strings.ContainsFunc(incident, strange) {
		return "", fmt.Errorf("incident %.128q, expected 1 to %d of a-z, 0-9 and -", incident, maxIncident)
	}
	return archivePrefix + incident + "." + strconv.FormatInt(minute.Truncate(time.Minute).Unix(), 10), nil
}
