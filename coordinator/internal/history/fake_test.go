package history

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// fakeJournal is a journal in memory. Entries pass through their encoding, as in
// the real one.
type fakeJournal struct {
	mu      sync.Mutex
	entries [][]byte
	first   uint64
	// limit hides the entries after it, as if they had not come yet; 0 hides none.
	limit uint64
	more  chan struct{}
}

func newFakeJournal() *fakeJournal { return &fakeJournal{first: 1, more: make(chan struct{})} }

func (j *fakeJournal) append(t testing.TB, batches ...wire.Batch) {
	t.Helper()
	data, err := wire.MarshalEntry(batches)
	if err != nil {
		t.Fatal(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, data)
	close(j.more)
	j.more = make(chan struct{})
}

// forget deletes the entries before the given place.
func (j *fakeJournal) forget(before uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.first = before
}

func (j *fakeJournal) Last() uint64 {
	_, last := j.Bounds()
	return last
}

func (j *fakeJournal) Bounds() (first, last uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.limit > 0 {
		return j.first, j.limit
	}
	return j.first, uint64(len(j.entries))
}

func (j *fakeJournal) hide(after uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.limit = after
}

func (j *fakeJournal) get(seq uint64) (Entry, bool, chan struct{}, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if seq > uint64(len(j.entries)) {
		return Entry{}, false, j.more, nil
	}
	batches, err := wire.UnmarshalEntry(j.entries[seq-1])
	return Entry{Seq: seq, Batches: batches}, true, j.more, err
}

func (j *fakeJournal) Follow(ctx context.Context, after uint64, fn func(Entry) error) error {
	if after > j.Last() {
		return errors.New("cursor is beyond the end of the journal")
	}
	for {
		first, _ := j.Bounds()
		seq := max(after+1, first)
		e, ok, more, err := j.get(seq)
		if err != nil {
			return err
		}
		if !ok {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-more:
			}
			continue
		}
		e.Missed = seq - after - 1
		if err := fn(e); err != nil {
			return err
		}
		after = seq
	}
}

func (j *fakeJournal) Read(ctx context.Context, from, to uint64, fn func(Entry) error) error {
	first, last := j.Bounds()
	for seq := max(from, first); seq <= min(to, last); seq++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		e, _, _, err := j.get(seq)
		if err != nil {
			return err
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	return nil
}

var _ Source = (*fakeJournal)(nil)

var ten = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// fleet makes observations as probes would, and hands them to a journal.
type fleet struct {
	config *Config
	epoch  string
	seq    map[string]uint64
	random *rand.Rand
	// tls says that the servers show certificates, whose issuer changes three times
	// an hour.
	tls bool
	// fails says whether a run fails, and how.
	fails func(check, probe, region string, at time.Time) checks.Class
}

// newFleet has three regions of three probes and as many checks as are asked for,
// all every 30 s.
func newFleet(names ...string) *fleet {
	f := &fleet{config: &Config{MinProbes: 2}, epoch: "e1", seq: map[string]uint64{}, random: rand.New(rand.NewPCG(1, 2))}
	f.fails = func(string, string, string, time.Time) checks.Class { return "" }
	for i, region := range []string{"eu-north", "us-east", "oceania"} {
		f.config.Regions = append(f.config.Regions, Region{region, float64(4 - i)})
		for n := range 3 {
			f.config.Probes = append(f.config.Probes, Probe{fmt.Sprintf("%s-%d", region, n+1), region})
		}
	}
	for _, name := range names {
		f.config.Checks = append(f.config.Checks, Check{ID: name, Service: "mail", Every: 30 * time.Second})
	}
	return f
}

// runs are the observations that begin in [from, to), in order of their ends.
func (f *fleet) runs(from, to time.Time) []checks.Observation {
	var out []checks.Observation
	for i, p := range f.config.Probes {
		for k, c := range f.config.Checks {
			offset := time.Duration(i%3) * c.Every / 3
			at := from.Truncate(c.Every).Add(offset + time.Duration(k)*100*time.Millisecond)
			for ; at.Before(to); at = at.Add(c.Every) {
				if !at.Before(from) {
					out = append(out, f.run(c, p, at))
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b checks.Observation) int { return a.End().Compare(b.End()) })
	for i := range out {
		f.seq[out[i].Probe]++
		out[i].Seq = f.seq[out[i].Probe]
	}
	return out
}

func (f *fleet) run(c Check, p Probe, at time.Time) checks.Observation {
	o := checks.Observation{
		Check: c.ID, Service: c.Service, Probe: p.Name, Region: p.Region, Family: checks.IPv4, Epoch: f.epoch,
		Scheduled: at, Started: at.Add(time.Millisecond), Every: c.Every,
	}
	o.Outcome, o.Elapsed = checks.Up, time.Duration(60+f.random.IntN(40))*time.Millisecond
	o.Phases = []checks.PhaseTiming{{Name: checks.Connect, Duration: 20 * time.Millisecond}, {Name: checks.TLS, Duration: 35 * time.Millisecond}}
	if f.tls {
		o.Address, o.TLS = "192.0.2.25:993", presented("R"+strconv.Itoa(at.Minute()/20), "k"+p.Region)
	}
	if class := f.fails(c.ID, p.Name, p.Region, at); class != "" {
		o.Outcome, o.Class, o.FailedPhase = class.Outcome(), class, checks.Connect
		o.Elapsed, o.Phases = 5*time.Second, []checks.PhaseTiming{{Name: checks.Connect, Duration: 5 * time.Second}}
	}
	return o
}

// presented is what a server showed: a leaf and its issuer.
func presented(issuer, key string) *checks.Handshake {
	sum := sha256.Sum256([]byte(key))
	hash := hex.EncodeToString(sum[:])
	return &checks.Handshake{Version: "1.3", Chain: []checks.Certificate{
		{Subject: "mail.example.net", Issuer: issuer, Names: []string{"mail.example.net"}, NotAfter: ten.AddDate(0, 0, 10), Key: hash},
		{Subject: issuer, Issuer: "root", NotAfter: ten.AddDate(1, 0, 0), Key: hash},
	}}
}

// tell puts an event of a probe into the journal, as it arrives.
func (f *fleet) tell(t testing.TB, j *fakeJournal, probe string, received time.Time, e wire.Event) {
	t.Helper()
	f.seq[probe]++
	e.Seq, e.At = f.seq[probe], received
	b := wire.Batch{Epoch: f.epoch, Received: received, ClockKnown: true, Records: []wire.Record{{Event: &e}}}
	i := slices.IndexFunc(f.config.Probes, func(p Probe) bool { return p.Name == probe })
	b.Attribute(probe, f.config.Probes[i].Region, "")
	j.append(t, b)
}

// batch is one batch of a probe, as it arrives.
func batch(received time.Time, list ...checks.Observation) wire.Batch {
	b := wire.Batch{Epoch: list[0].Epoch, Received: received, ClockKnown: true}
	for _, o := range list {
		b.Records = append(b.Records, wire.Record{Observation: o})
	}
	b.Attribute(list[0].Probe, list[0].Region, "")
	return b
}

// arrive puts each observation into the journal 200 ms after its end. Those for
// which held says so wait until then, and come in batches by probe.
func (f *fleet) arrive(t testing.TB, j *fakeJournal, list []checks.Observation, held func(checks.Observation) (until time.Time, ok bool)) {
	t.Helper()
	type arrival struct {
		at time.Time
		o  checks.Observation
	}
	var all []arrival
	busy := map[string]time.Time{}
	for _, o := range list {
		at := o.End().Add(200 * time.Millisecond)
		if until, ok := held(o); ok {
			at = later(at, until)
		}
		at = later(at, busy[o.Probe]) // a probe sends in order
		busy[o.Probe] = at
		all = append(all, arrival{at, o})
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return a.at.Compare(b.at) })
	for len(all) > 0 {
		var batches []wire.Batch
		at := all[0].at
		for ; len(all) > 0 && all[0].at.Equal(at); all = all[1:] {
			o := all[0].o
			if n := len(batches); n > 0 && batches[n-1].Probe == o.Probe && len(batches[n-1].Records) < wire.MaxRecords {
				batches[n-1].Records = append(batches[n-1].Records, wire.Record{Observation: o})
			} else {
				batches = append(batches, batch(at, o))
			}
		}
		j.append(t, batches...)
	}
}

func nothingHeld(checks.Observation) (time.Time, bool) { return time.Time{}, false }

func open(t testing.TB, dir string, j Source, config func() *Config) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, Source: j, Config: config, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// flakyJournal fails a few times, in the middle of following.
type flakyJournal struct {
	*fakeJournal
	failures int
}

func (j *flakyJournal) Follow(ctx context.Context, after uint64, fn func(Entry) error) error {
	return j.fakeJournal.Follow(ctx, after, func(e Entry) error {
		if j.failures > 0 && e.Seq > after+5 {
			j.failures--
			return fmt.Errorf("follow journal: %w", errors.ErrUnsupported)
		}
		return fn(e)
	})
}
