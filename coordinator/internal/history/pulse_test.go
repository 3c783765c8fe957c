package history

import (
	"testing"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// TestPulses: what a probe sent of a stretch of time, what of it was its own fault, how
// long it waited to be sent and how far its clock was off, narrow and wide, across a
// restart and with results that come an hour late.
func TestPulses(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	probe := f.config.Probes[0]
	send := func(from, to time.Time, wait, offset time.Duration, known bool, class checks.Class) {
		for at := from; at.Before(to); at = at.Add(30 * time.Second) {
			o := f.run(f.config.Checks[0], probe, at.Add(offset))
			if o.Class = class; class != "" {
				o.Outcome = class.Outcome()
			}
			f.seq[probe.Name]++
			o.Seq = f.seq[probe.Name]
			b := batch(o.End().Add(wait-offset), o)
			b.ClockOffset, b.ClockKnown = offset, known
			j.append(t, b)
		}
	}
	minutes := func(n int) time.Time { return ten.Add(time.Duration(n) * time.Minute) }
	send(minutes(0), minutes(5), time.Second, 20*time.Millisecond, true, "")
	send(minutes(5), minutes(10), 2*time.Second, -40*time.Millisecond, true, checks.OwnNetwork)
	send(minutes(10), minutes(12), time.Hour, 0, false, checks.ConnectTimeout)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	send(minutes(12), minutes(15), time.Second, 5*time.Second, true, checks.OwnLate)
	m.restart()
	m.feedAll()
	got, err := m.s.Pulses(t.Context(), probe.Name, ten, ten.Add(3*time.Hour), PulseStep)
	must(t, err)
	want := []Pulse{
		{At: ten, Runs: 10, Waited: time.Second, ClockLow: 20 * time.Millisecond, ClockHigh: 20 * time.Millisecond, ClockKnown: true},
		{At: minutes(5), Runs: 10, OwnNetwork: 10, Waited: 2 * time.Second, ClockLow: -40 * time.Millisecond, ClockHigh: -40 * time.Millisecond, ClockKnown: true},
		{At: minutes(10), Runs: 10, Down: 4, OwnLate: 6, Waited: time.Hour, ClockLow: 5 * time.Second, ClockHigh: 5 * time.Second, ClockKnown: true},
	}
	if len(got) != len(want) {
		t.Fatalf("got %d pulses, want %d:\n%+v", len(got), len(want), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
	hours, err := m.s.Pulses(t.Context(), probe.Name, ten, ten.Add(3*time.Hour), time.Hour)
	must(t, err)
	all := Pulse{
		At: ten, Runs: 30, Down: 4, OwnNetwork: 10, OwnLate: 6, Waited: time.Hour,
		ClockLow: -40 * time.Millisecond, ClockHigh: 5 * time.Second, ClockKnown: true,
	}
	if len(hours) != 1 || hours[0] != all {
		t.Errorf("as hours: got %+v, want %+v", hours, all)
	}
	if _, err := m.s.Pulses(t.Context(), probe.Name, ten, ten.Add(time.Hour), time.Minute); err == nil {
		t.Error("steps of a minute: got no error, want one that says what is expected")
	}
	must(t, m.s.Close())
}

// TestPulsesAreForgotten: narrow ones with the minutes, those of hours with the hours.
func TestPulsesAreForgotten(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	f.arrive(t, j, f.runs(ten, ten.Add(10*time.Minute)), nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	count := func() (n [2]int) {
		for i, unit := range pulseUnits() {
			must(t, m.s.reads.QueryRow(`SELECT count(*) FROM pulse WHERE unit = ?`, int64(unit/time.Second)).Scan(&n[i]))
		}
		return n
	}
	probes := len(f.config.Probes)
	if got := count(); got[0] < 2*probes || got[1] != probes {
		t.Fatalf("got %v pulses, want two or more and one of each of %d probes", got, probes)
	}
	must(t, m.s.retain(ten.Add(m.s.options.Retention.Minutes+time.Hour)))
	if got := count(); got != [2]int{0, probes} {
		t.Errorf("got %v pulses when minutes are kept no longer, want those of hours", got)
	}
	must(t, m.s.Close())
}

// TestStarts: the lives of a probe's program are known by their names.
func TestStarts(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	probe := f.config.Probes[0]
	begun := time.Date(2026, 11, 22, 10, 20, 14, 5e6, time.UTC)
	for _, epoch := range []string{"01a202c54b35-9b1c0d2e", "e1"} {
		o := f.run(f.config.Checks[0], probe, ten)
		o.Seq = 1
		b := batch(ten.Add(time.Second), o)
		b.Epoch = epoch
		b.Records = []wire.Record{{Observation: o}}
		j.append(t, b)
	}
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	got, err := m.s.Starts(t.Context(), probe.Name, begun, begun.Add(time.Second))
	if err != nil || len(got) != 1 || !got[0].Equal(begun) {
		t.Errorf("got %v, %v, want %v", got, err, begun)
	}
	if got, err := m.s.Starts(t.Context(), probe.Name, begun.Add(time.Second), begun.Add(time.Hour)); err != nil || len(got) != 0 {
		t.Errorf("after it: got %v, %v, want none", got, err)
	}
	must(t, m.s.Close())
}
