package history

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
)

// keeping is a history as its users know it: it takes what is in a journal, and answers.
type keeping interface {
	// take takes up to n entries that it has not taken, and says whether there may be more.
	take(n int) bool
	// pass lets the time pass: what is over may be put away.
	pass(now time.Time)
	// crash loses what is not on disk.
	crash()
	answer(t *testing.T, q Query) reply
	close()
}

// reply is what it says of a stretch of time.
type reply struct {
	// Up, Down and Unknown are seconds of slots.
	Up, Down, Unknown, Coverage float64
	Runs, Failed                uint64
	// Hours say of each in which runs completed how many did, and their p50, p95 and p99 in
	// milliseconds.
	Hours    map[time.Time][4]float64
	Failures map[string]uint64
}

// onDisk is the history in SQLite.
type onDisk struct{ *machine }

func (h onDisk) take(n int) bool    { return h.feed(h.rollup, n) }
func (h onDisk) pass(now time.Time) { must(h.t, h.rollup.seal(now)) }
func (h onDisk) crash()             { h.restart() }
func (h onDisk) close()             { must(h.t, h.s.Close()) }

func (h onDisk) answer(t *testing.T, q Query) reply {
	t.Helper()
	must(t, h.rollup.flush())
	q.Step = time.Hour
	a, err := h.s.Availability(context.Background(), q)
	must(t, err)
	l, err := h.s.Latency(context.Background(), q)
	must(t, err)
	both, runs, err := h.s.AvailabilityAndLatency(context.Background(), q)
	must(t, err)
	if !reflect.DeepEqual(a, both) || !reflect.DeepEqual(l, runs) {
		t.Errorf("of one reading: got %+v %+v, apart %+v %+v", both, runs, a, l)
	}
	out := reply{Up: a.UpS, Down: a.DownS, Unknown: a.UnknownS, Coverage: a.Coverage, Runs: a.Runs, Failed: a.Failed, Hours: map[time.Time][4]float64{}, Failures: map[string]uint64{}}
	for _, p := range l.Points {
		out.Hours[p.T] = [4]float64{float64(p.N), p.P50, p.P95, p.P99}
	}
	failures, err := h.s.Failures(context.Background(), q)
	must(t, err)
	for _, f := range failures {
		out.Failures[f.Region+" "+string(f.Class)] += f.N
	}
	return out
}

// inMemory keeps every observation as it is and adds up whenever it is asked.
type inMemory struct {
	t       *testing.T
	journal *fakeJournal
	config  *Config
	place   uint64
	seen    map[string]bool
	runs    []checks.Observation
}

func (h *inMemory) pass(time.Time) {}
func (h *inMemory) close()         {}

// crash: what it holds came from the journal, which is still there.
func (h *inMemory) crash() { h.place, h.seen, h.runs = 0, map[string]bool{}, nil }

func (h *inMemory) take(n int) bool {
	for range n {
		e, ok, _, err := h.journal.get(h.place + 1)
		must(h.t, err)
		if !ok {
			return false
		}
		h.place++
		for _, b := range e.Batches {
			for _, r := range b.Records {
				o := r.Observation
				if key := fmt.Sprint(o.Probe, " ", o.Epoch, " ", o.Seq); !h.seen[key] {
					h.seen[key], h.runs = true, append(h.runs, o)
				}
			}
		}
	}
	return true
}

func (h *inMemory) answer(_ *testing.T, q Query) reply {
	for h.take(1000) {
	}
	out, times := reply{Hours: map[time.Time][4]float64{}, Failures: map[string]uint64{}}, map[time.Time][]float64{}
	if now := time.Now(); q.To.After(now) {
		q.To = now.Add(time.Minute - 1).Truncate(time.Minute)
	}
	minutes, covered := 0, 0
	for _, c := range h.config.Checks {
		for _, r := range h.config.Regions {
			if q.Check != "" && c.ID != q.Check || q.Service != "" && c.Service != q.Service || q.Region != "" && r.ID != q.Region {
				continue
			}
			probes, quorum := 3, h.config.MinProbes
			if q.Probe != "" {
				probes, quorum = 1, 1
				if !slices.Contains(h.config.Probes, Probe{q.Probe, r.ID}) {
					continue
				}
			}
			runs := slices.DeleteFunc(slices.Clone(h.runs), func(o checks.Observation) bool {
				return o.Check != c.ID || o.Region != r.ID || q.Probe != "" && o.Probe != q.Probe || o.Trigger != checks.Scheduled
			})
			for at := q.From; at.Before(q.To); at = at.Add(time.Minute) {
				minutes++
				if h.minute(&out, times, runs, at, probes) >= quorum {
					covered++
				}
			}
		}
	}
	out.Coverage = float64(covered) / float64(minutes)
	for hour, list := range times {
		slices.Sort(list)
		rank := func(q float64) float64 { return list[int(q*float64(len(list)-1))] }
		out.Hours[hour] = [4]float64{float64(len(list)), rank(0.5), rank(0.95), rank(0.99)}
	}
	return out
}

// minute adds one minute up and returns how many probes knew something in it.
func (h *inMemory) minute(out *reply, times map[time.Time][]float64, runs []checks.Observation, at time.Time, probes int) int {
	end, sum := at.Add(time.Minute), 0.0
	knew := map[string]bool{}
	for _, o := range runs {
		from, to := o.Scheduled, o.Scheduled.Add(o.Every)
		if from.Before(at) {
			from = at
		}
		if to.After(end) {
			to = end
		}
		if !from.Before(to) {
			continue
		}
		seconds := to.Sub(from).Seconds()
		sum += seconds
		switch o.Outcome {
		case checks.Up:
			out.Up, knew[o.Probe] = out.Up+seconds, true
		case checks.Down:
			out.Down, knew[o.Probe] = out.Down+seconds, true
		default:
			out.Unknown += seconds
		}
		if o.Scheduled.Before(at) {
			continue
		}
		switch o.Outcome {
		case checks.Up:
			hour := at.Truncate(time.Hour)
			times[hour] = append(times[hour], checks.Milliseconds(o.Elapsed))
			out.Runs++
		case checks.Down:
			out.Runs, out.Failed = out.Runs+1, out.Failed+1
		}
		if o.Outcome != checks.Up {
			out.Failures[o.Region+" "+string(o.Class)]++
		}
	}
	passed := max(0, min(time.Minute, time.Since(at))).Seconds()
	out.Unknown += max(0, float64(probes)*passed-sum)
	return len(knew)
}

// same says where two replies differ by more than a sketch may.
func (r reply) same(o reply) error {
	for _, x := range [][2]float64{{r.Up, o.Up}, {r.Down, o.Down}, {r.Unknown, o.Unknown}, {r.Coverage, o.Coverage}} {
		if math.Abs(x[0]-x[1]) > 1e-6 {
			return fmt.Errorf("got %+v, want %+v", r, o)
		}
	}
	for hour, want := range o.Hours {
		got := r.Hours[hour]
		for i := range want {
			if math.Abs(got[i]-want[i]) > 0.0100001*want[i] || i == 0 && got[i] != want[i] {
				return fmt.Errorf("%s: got runs and times %v, want %v within 1 %%", hour, got, want)
			}
		}
	}
	if len(r.Hours) != len(o.Hours) {
		return fmt.Errorf("got runs in %d hours, want %d", len(r.Hours), len(o.Hours))
	}
	r.Up, r.Down, r.Unknown, r.Coverage, r.Hours = o.Up, o.Down, o.Unknown, o.Coverage, o.Hours
	if fmt.Sprintf("%+v", r) != fmt.Sprintf("%+v", o) {
		return fmt.Errorf("got %+v, want %+v", r, o)
	}
	return nil
}

// contract runs f on a history of each kind. Its time begins two hours before a month
// ends, so that what is kept by the month is in two of them.
func contract(t *testing.T, f func(t *testing.T, fleet *fleet, j *fakeJournal, begin time.Time, h keeping)) {
	for _, kind := range []string{"SQLite", "memory"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Date(2000, 1, 31, 22, 0, 0, 0, time.UTC)
				time.Sleep(time.Until(begin))
				fl, j := newFleet("imap"), newFakeJournal()
				var h keeping = &inMemory{t: t, journal: j, config: fl.config, seen: map[string]bool{}}
				if kind == "SQLite" {
					h = onDisk{start(t, t.TempDir(), j, func() *Config { return fl.config })}
				}
				defer h.close()
				f(t, fl, j, begin, h)
			})
		})
	}
}

// all takes everything and lets hours be put away.
func all(h keeping) {
	for h.take(1000) {
	}
	h.pass(time.Now())
}

// The numbers of a history, whatever keeps it, worked out by hand.
func TestContract(t *testing.T) {
	contract(t, func(t *testing.T, f *fleet, j *fakeJournal, begin time.Time, h keeping) {
		probe := f.config.Probes[0]
		hour := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Hour) }
		look := func(at time.Time, class checks.Class, trigger checks.Trigger, took time.Duration) {
			o := f.run(f.config.Checks[0], probe, at)
			o.Elapsed, o.Trigger = took, trigger
			if class != "" {
				o.Outcome, o.Class = class.Outcome(), class
			}
			f.seq[probe.Name]++
			o.Seq = f.seq[probe.Name]
			j.append(t, batch(o.End().Add(time.Second), o))
		}
		expect := func(what string, q Query, want reply) {
			t.Helper()
			q.Check, q.Region = "imap", probe.Region
			if want.Failures == nil {
				want.Failures = map[string]uint64{}
			}
			if err := h.answer(t, q).same(want); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		once := map[time.Time][4]float64{begin: {1, 100, 100, 100}}
		time.Sleep(6 * time.Hour)
		expect("nothing was seen", Query{From: begin, To: hour(1)}, reply{Unknown: 3 * 3600})
		// A slot of 30 s that begins 10 s before the minute ends is of both.
		look(begin.Add(50*time.Second), "", checks.Scheduled, 100*time.Millisecond)
		all(h)
		expect("a slot in two minutes", Query{From: begin, To: begin.Add(time.Minute), Probe: probe.Name},
			reply{Up: 10, Unknown: 50, Coverage: 1, Runs: 1, Hours: once})
		expect("its end", Query{From: begin.Add(time.Minute), To: begin.Add(2 * time.Minute), Probe: probe.Name}, reply{Up: 20, Unknown: 40, Coverage: 1})
		expect("one probe is no quorum", Query{From: begin, To: begin.Add(time.Minute)},
			reply{Up: 10, Unknown: 170, Runs: 1, Hours: once})
		// What was asked for after a failure counts nothing.
		look(hour(1), checks.ConnectTimeout, checks.Scheduled, time.Second)
		look(hour(1).Add(time.Second), checks.ConnectTimeout, checks.Confirm, time.Second)
		look(hour(1).Add(2*time.Second), "", checks.Manual, time.Second)
		all(h)
		expect("a failure that was confirmed", Query{From: hour(1), To: hour(2), Probe: probe.Name},
			reply{Down: 30, Unknown: 3570, Coverage: 1.0 / 60, Runs: 1, Failed: 1, Failures: map[string]uint64{probe.Region + " connect_timeout": 1}})
		// Across the end of the month, with a crash, and once more the same.
		look(hour(2).Add(-15*time.Second), checks.OwnNetwork, checks.Scheduled, time.Second)
		e, _, _, err := j.get(1)
		must(t, err)
		j.append(t, e.Batches...)
		h.take(1)
		h.crash()
		all(h)
		expect("two months", Query{From: hour(2).Add(-time.Minute), To: hour(2).Add(time.Minute), Probe: probe.Name},
			reply{Unknown: 120, Failures: map[string]uint64{probe.Region + " own_network": 1}})
		expect("all of it once", Query{From: begin, To: hour(3), Probe: probe.Name}, reply{
			Up: 30, Down: 30, Unknown: 3*3600 - 60, Coverage: 3.0 / 180, Runs: 2, Failed: 1, Hours: once,
			Failures: map[string]uint64{probe.Region + " connect_timeout": 1, probe.Region + " own_network": 1},
		})
		// Late by hours: the hour was put away.
		for i := range 100 {
			look(begin.Add(time.Duration(10+i%40)*time.Minute+time.Duration(i/40)*time.Second*7), "", checks.Scheduled, time.Duration(i+1)*time.Millisecond)
		}
		all(h)
		got := h.answer(t, Query{Check: "imap", Region: probe.Region, Probe: probe.Name, From: begin.Add(10 * time.Minute), To: hour(1)}).Hours[begin]
		if got[0] != 100 || math.Abs(got[1]-50) > 0.51 || math.Abs(got[2]-95) > 0.96 || math.Abs(got[3]-99) > 1 {
			t.Errorf("1 to 100 ms: got runs and times %v", got)
		}
	})
}

// What SQLite says of a random past is what all of its observations say, however they
// came: late, twice, around crashes, with hours and days put away or not.
func TestContractOfARandomPast(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomPast(t, rand.New(rand.NewPCG(seed, 7))) })
		})
	}
}

func randomPast(t *testing.T, random *rand.Rand) {
	begin := time.Date(2000, 1, 31, 21, 0, 0, 0, time.UTC)
	time.Sleep(time.Until(begin))
	f, j := newFleet("imap", "smtp"), newFakeJournal()
	f.random = random
	f.fails = func(check, probe, region string, at time.Time) checks.Class {
		return cmp.Or(map[int]checks.Class{1: checks.ConnectTimeout, 2: checks.OwnNetwork, 3: checks.Busy}[random.IntN(40)], "")
	}
	f.arrive(t, j, f.runs(begin, begin.Add(5*time.Hour)), func(o checks.Observation) (time.Time, bool) {
		return o.End().Add(time.Duration(random.IntN(4)) * time.Hour), random.IntN(500) == 0
	})
	disk := onDisk{start(t, t.TempDir(), j, func() *Config { return f.config })}
	defer disk.close()
	raw := &inMemory{t: t, journal: j, config: f.config, seen: map[string]bool{}}
	time.Sleep(9 * time.Hour)
	for n := 0; disk.take(200 + random.IntN(800)); n++ {
		switch random.IntN(6) {
		case 0:
			disk.crash()
		case 1:
			must(t, disk.rollup.flush())
		case 2:
			disk.pass(disk.rollup.clock)
		case 3:
			e, _, _, err := j.get(uint64(1 + random.IntN(1000)))
			must(t, err)
			if n < 5 { // somebody sends it again
				j.append(t, e.Batches...)
			}
		}
	}
	if random.IntN(2) == 0 {
		time.Sleep(30 * time.Hour) // days are added up
	}
	disk.pass(time.Now())
	for range 25 {
		from := begin.Add(time.Duration(random.IntN(400)) * time.Minute)
		q := Query{Service: "mail", From: from, To: from.Add(time.Duration(1+random.IntN(500)) * time.Minute)}
		if random.IntN(3) == 0 {
			q.Service, q.Check = "", "smtp"
		}
		if random.IntN(3) > 0 {
			p := f.config.Probes[random.IntN(len(f.config.Probes))]
			if q.Region = p.Region; random.IntN(2) == 0 {
				q.Probe = p.Name
			}
		}
		if err := disk.answer(t, q).same(raw.answer(t, q)); err != nil {
			t.Errorf("%+v: %v", q, err)
		}
	}
}
