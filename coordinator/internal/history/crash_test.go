package history

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// troubled is a journal of three hours in which much happens: a region that goes
// dark, flakes, a probe whose reports come an hour late, a batch that the journal
// holds twice, a gap, a second epoch, events, and servers that change.
func troubled(t testing.TB) (*fleet, *fakeJournal) {
	f, j := newFleet("imap"), newFakeJournal()
	f.tls = true
	flakes := rand.New(rand.NewPCG(7, 7))
	f.fails = func(_, probe, region string, at time.Time) checks.Class {
		switch m := at.Sub(ten).Minutes(); {
		case region == "oceania" && m >= 20 && m < 100:
			return checks.ConnectTimeout
		case probe == "us-east-2" && m >= 50 && m < 55:
			return checks.OwnNetwork
		case flakes.IntN(50) == 0:
			return checks.Busy
		}
		return ""
	}
	f.arrive(t, j, f.runs(ten, ten.Add(2*time.Hour)), func(o checks.Observation) (time.Time, bool) {
		return ten.Add(100 * time.Minute), o.Probe == "eu-north-1" && o.End().Sub(ten) > 30*time.Minute
	})
	e, _, _, err := j.get(40)
	must(t, err)
	j.append(t, e.Batches...) // twice
	f.epoch = "e2"
	f.seq = map[string]uint64{}
	last := f.runs(ten.Add(2*time.Hour), ten.Add(3*time.Hour))
	f.arrive(t, j, last, nothingHeld)
	gap := wire.Batch{Epoch: "e2", Received: ten.Add(3 * time.Hour), Records: []wire.Record{{Gap: &wire.Gap{
		First: f.seq["us-east-1"] + 1, Last: f.seq["us-east-1"] + 9, From: ten, To: ten,
	}}}}
	gap.Attribute("us-east-1", "us-east", "")
	j.append(t, gap)
	f.seq["us-east-1"] += 9
	for i := range 60 {
		at := ten.Add(3*time.Hour + time.Duration(i)*time.Second)
		m := checks.MailEvent{Mail: fmt.Sprint("m", i%20), Check: "imap", Service: "mail", Route: "internal", Sent: ten.Add(time.Duration(i%20) * time.Minute), State: checks.MailPending}
		switch i / 20 {
		case 1:
			m.State = checks.MailLate
		case 2:
			m.State, m.Found = checks.MailLate, m.Sent.Add(time.Hour)
		}
		f.tell(t, j, "us-east-1", at, wire.Event{Mail: &m})
		f.tell(t, j, "us-east-1", at, wire.Event{Findings: &checks.Findings{Check: "imap", Service: "mail", List: []checks.Finding{{Code: "dane", Detail: fmt.Sprint(i)}}}})
	}
	return f, j
}

// machine feeds a history by hand, so that it can stop anywhere.
type machine struct {
	t      testing.TB
	dir    string
	j      *fakeJournal
	config func() *Config
	s      *Store
	told   *Told
	rollup *Rollup
	final  *Final
}

func start(t testing.TB, dir string, j *fakeJournal, config func() *Config) *machine {
	t.Helper()
	m := &machine{t: t, dir: dir, j: j, config: config}
	m.restart()
	return m
}

// restart begins with what is on disk; what was not written is gone. The files are
// copied as they are, so that nothing is tidied up as it would be by Close.
func (m *machine) restart() {
	m.t.Helper()
	var err error
	if m.s != nil {
		dir := m.t.TempDir()
		must(m.t, os.CopyFS(dir, os.DirFS(m.dir)))
		must(m.t, m.s.Close())
		m.dir = dir
	}
	m.s = open(m.t, m.dir, m.j, m.config)
	m.told, err = NewTold(ToldOptions{Store: m.s})
	must(m.t, err)
	m.rollup, err = NewRollup(m.s)
	must(m.t, err)
	m.final, err = NewFinal(FinalOptions{Store: m.s})
	must(m.t, err)
	for _, r := range []reader{m.told, m.rollup} {
		_, err := r.reload()
		must(m.t, err)
	}
}

// feed applies up to n entries to each reader.
func (m *machine) feed(r reader, n int) (more bool) {
	m.t.Helper()
	for range n {
		e, ok, _, err := m.j.get(r.place() + 1)
		must(m.t, err)
		if !ok {
			return false
		}
		must(m.t, r.apply(e))
	}
	return true
}

// feedAll applies what there is and writes it.
func (m *machine) feedAll() {
	m.t.Helper()
	for _, r := range []reader{m.told, m.rollup} {
		for m.feed(r, 1000) {
		}
		must(m.t, r.flush())
	}
}

// judge makes verdicts final as at the given time, with a journal that holds no
// more than the rollups have seen.
func (m *machine) judge(now time.Time) {
	m.t.Helper()
	must(m.t, m.rollup.flush())
	m.j.hide(m.rollup.place())
	defer m.j.hide(0)
	must(m.t, m.final.step(context.Background(), now))
}

// finish applies the rest, seals and judges as at the given time.
func (m *machine) finish(now time.Time) []string {
	m.t.Helper()
	m.feedAll()
	must(m.t, m.rollup.seal(now))
	must(m.t, m.final.step(context.Background(), now))
	record := dump(m.t, m.s)
	must(m.t, m.s.Close())
	return record
}

// A history that stops at random places, between what it read and what it wrote,
// becomes byte for byte the one that never stopped.
func TestCrashesChangeNothing(t *testing.T) {
	f, j := troubled(t)
	config := func() *Config { return f.config }
	end := ten.Add(3*time.Hour + 10*time.Minute)
	want := start(t, t.TempDir(), j, config).finish(end)
	if len(want) < 400 {
		t.Fatalf("the record has %d lines: nothing happened", len(want))
	}
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 1))
		m := start(t, t.TempDir(), j, config)
		for crashes := 0; crashes < 10; {
			told := m.feed(m.told, random.IntN(400))
			rolled := m.feed(m.rollup, random.IntN(400))
			if !told && !rolled {
				break
			}
			switch random.IntN(5) {
			case 0:
				must(t, m.told.flush())
			case 1:
				must(t, m.rollup.flush())
			case 2:
				m.restart()
				crashes++
			case 3:
				// Judged and sealed early, as if the clock were further on.
				early := earlier(m.rollup.clock.Add(time.Duration(random.IntN(3))*time.Hour), end)
				must(t, m.rollup.seal(early))
				must(t, m.rollup.flush())
				must(t, m.final.step(context.Background(), early))
			case 4:
				// Sealed while something waited to be written, which then never was.
				must(t, m.rollup.seal(earlier(m.rollup.clock.Add(2*time.Hour), end)))
				m.restart()
				crashes++
			}
		}
		sameRecord(t, want, m.finish(end))
	}
}

// A crash between the block of an hour and its totals repeats the sealing.
func TestCrashWhileSealing(t *testing.T) {
	f, j := troubled(t)
	config := func() *Config { return f.config }
	end := ten.Add(3*time.Hour + 10*time.Minute)
	want := start(t, t.TempDir(), j, config).finish(end)
	m := start(t, t.TempDir(), j, config)
	for m.feed(m.rollup, 1000) {
	}
	must(t, m.rollup.flush())
	for i := range 2 {
		_, err := m.rollup.sealBlocks(ten.Add(time.Duration(i) * time.Hour))
		must(t, err)
	}
	m.restart() // the blocks are written, the open minutes still there
	sameRecord(t, want, m.finish(end))
}

// What the journal holds twice counts once.
func TestDoublesCountOnce(t *testing.T) {
	f := newFleet("imap")
	list := f.runs(ten, ten.Add(30*time.Minute))
	record := func(doubled bool) []string {
		j := newFakeJournal()
		f.arrive(t, j, list, nothingHeld)
		if doubled {
			for seq := range uint64(100) {
				e, _, _, err := j.get(seq + 1)
				must(t, err)
				j.append(t, e.Batches...)
			}
		}
		lines := start(t, t.TempDir(), j, func() *Config { return f.config }).finish(ten.Add(3 * time.Hour))
		return slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "place") })
	}
	sameRecord(t, record(false), record(true))
}
