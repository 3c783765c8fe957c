package replay

import (
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/journal"
	"varde/coordinator/internal/verdict"
	"varde/proto/wire"
)

// outage is trouble of known place and time.
type outage struct {
	// check and region are where it is: in all regions if that is negative.
	check, region int
	// family is over which, both if it is none.
	family checks.Family
	// from is counted from the start of the recording. It and length are whole rounds.
	from, length time.Duration
	phase        checks.Phase
	class        checks.Class
}

func (o *outage) hits(r *look) bool {
	return o.check == r.check && (o.region < 0 || o.region == r.region) && (o.family == checks.NoFamily || o.family == r.now.Family)
}

// look is one run of a round.
type look struct {
	check, region int
	// offset is when in the round it is due, seq its number among those of its probe.
	offset time.Duration
	seq    uint64
	// now is the observation of this round, well what is seen when all is well.
	now  *checks.Observation
	well checks.Result
}

func (r *look) series() verdict.Series {
	return verdict.Series{Check: r.now.Check, Region: r.now.Region, Family: r.now.Family}
}

// scribe writes what a fleet sees, round by round of its interval: each is as the one
// before but for the times, the numbers, some tenths of milliseconds, and the outages. It
// takes as much memory as one round, however long it writes.
type scribe struct {
	fleet
	outages []outage
	// runs are those of a round by when they are due, messages the same as they arrive.
	runs     []look
	messages [][]wire.Batch
	round    int
}

// newScribe has so many observations arrive together.
func newScribe(f fleet, outages []outage, together int) *scribe {
	s := &scribe{fleet: f, outages: outages}
	for c := range f.checks {
		for r := range f.regions {
			for p := range f.probes {
				for _, family := range f.families {
					o := f.look(c, r, p, family, noon, healthy)
					o.Phases = append(o.Phases, checks.PhaseTiming{Name: checks.Logout, Duration: 2 * time.Millisecond})
					o.TLS = handshake()
					s.runs = append(s.runs, look{check: c, region: r, offset: f.due(c, r, p, family), now: &o, well: o.Result})
				}
			}
		}
	}
	slices.SortFunc(s.runs, func(a, b look) int { return int(a.offset - b.offset) })
	seq := make(map[string]uint64)
	for part := range slices.Chunk(s.runs, together) {
		for k := range part {
			seq[part[k].now.Probe]++
			part[k].seq = seq[part[k].now.Probe]
		}
		s.messages = append(s.messages, message(part))
	}
	return s
}

// handshake is what servers show.
func handshake() *checks.Handshake {
	until := noon.Add(60 * 24 * time.Hour)
	return &checks.Handshake{Version: "1.3", Chain: []checks.Certificate{
		{Subject: "mail.example", Issuer: "Minted here", Names: []string{"imap.mail.example", "mail.example"}, NotAfter: until, Key: strings.Repeat("1a", 32)},
		{Subject: "Minted here", Issuer: "Minted elsewhere", NotAfter: until, Key: strings.Repeat("2b", 32)},
	}}
}

// message is what some runs bring: a batch of each probe. The runs then fill it.
func message(runs []look) []wire.Batch {
	var batches []wire.Batch
	at := make(map[string]int)
	for k := range runs {
		o := runs[k].now
		if _, ok := at[o.Probe]; !ok {
			at[o.Probe] = len(batches)
			batches = append(batches, wire.Batch{
				Probe: o.Probe, Region: o.Region, Epoch: o.Epoch, ClockKnown: true, Records: make([]wire.Record, 0, len(runs)),
			})
		}
		b := &batches[at[o.Probe]]
		b.Records = append(b.Records, wire.Record{Observation: *o})
		runs[k].now = &b.Records[len(b.Records)-1].Observation
	}
	return batches
}

// due is when in a round a run is due: the checks are spread over it, and of each the
// probes. All are whole milliseconds.
func (f fleet) due(c, r, p int, family checks.Family) time.Duration {
	at := f.every*time.Duration(c)/time.Duration(f.checks) + f.every*time.Duration(p)/time.Duration(f.probes)
	return (at + time.Duration(7*r+3*int(family))*time.Millisecond) % f.every
}

// at is how much was written.
func (s *scribe) at() time.Duration { return time.Duration(s.round) * s.every }

// write writes the rounds up to a time into the journal of a new data folder.
func (s *scribe) write(b *testing.B, until time.Duration) (data string) {
	data = b.TempDir()
	j, err := journal.Open(b.Context(), journal.Options{Dir: filepath.Join(data, "journal"), NoSync: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	for s.at() < until {
		s.turn()
		for _, m := range s.messages {
			if _, err := j.Append(b.Context(), m); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	return data
}

// turn makes the runs those of the next round.
func (s *scribe) turn() {
	for k := range s.outages {
		switch o := &s.outages[k]; s.at() {
		case o.from, o.from + o.length:
			s.strike(o)
		}
	}
	began, each := noon.Add(s.at()), uint64(len(s.runs)/s.regions/s.probes)
	for k := range s.runs {
		r := &s.runs[k]
		r.now.Scheduled = began.Add(r.offset)
		r.now.Started = r.now.Scheduled.Add(time.Millisecond)
		r.now.Seq = uint64(s.round)*each + r.seq
		r.now.Elapsed = 0
		for i := range r.now.Phases {
			p := &r.now.Phases[i]
			p.Duration += time.Duration((s.round+k+i)%7-3) * 100 * time.Microsecond // which adds up to nothing
			r.now.Elapsed += p.Duration
		}
	}
	for _, m := range s.messages {
		for k := range m {
			last := &m[k].Records[len(m[k].Records)-1].Observation
			m[k].Received = last.End().Add(50 * time.Millisecond)
		}
	}
	s.round++
}

// strike begins an outage, or ends it.
func (s *scribe) strike(o *outage) {
	for k := range s.runs {
		r := &s.runs[k]
		switch {
		case !o.hits(r):
		case s.at() == o.from:
			ran := slices.IndexFunc(r.well.Phases, func(t checks.PhaseTiming) bool { return t.Name == o.phase }) + 1
			r.now.Result = checks.Result{
				Outcome: o.class.Outcome(), Class: o.class, FailedPhase: o.phase, Address: r.well.Address,
				Phases: slices.Clone(r.well.Phases[:ran]),
			}
		default:
			r.now.Result = r.well
		}
	}
}
