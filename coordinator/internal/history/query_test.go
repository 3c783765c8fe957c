package history

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// scene is two hours of three regions: oceania is dark from 0:30 to 1:00, and the
// network of us-east-2 is gone during the first hour.
func scene(t *testing.T, fn func(f *fleet, m *machine, begin time.Time)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f, j, begin := newFleet("imap"), newFakeJournal(), time.Now().UTC()
		f.fails = func(_, probe, region string, at time.Time) checks.Class {
			switch m := at.Sub(begin).Minutes(); {
			case region == "oceania" && m >= 30 && m < 60:
				return checks.ConnectTimeout
			case probe == "us-east-2" && m < 60:
				return checks.OwnNetwork
			}
			return ""
		}
		f.arrive(t, j, f.runs(begin, begin.Add(2*time.Hour)), nothingHeld)
		m := start(t, t.TempDir(), j, func() *Config { return f.config })
		for _, r := range []reader{m.told, m.rollup} {
			for m.feed(r, 1000) {
			}
			must(t, r.flush())
		}
		time.Sleep(2 * time.Hour)
		fn(f, m, begin)
		must(t, m.s.Close())
	})
}

func near(t *testing.T, what string, got *float64, want float64) {
	t.Helper()
	if got == nil || math.Abs(*got-want) > 1e-9 {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// The numbers are the same while hours are open, when they are sealed, and when
// days are added up.
func TestAvailability(t *testing.T) {
	scene(t, func(f *fleet, m *machine, begin time.Time) {
		ctx, to := context.Background(), begin.Add(2*time.Hour)
		for _, stage := range []string{"open", "sealed", "day closed"} {
			switch stage {
			case "sealed":
				time.Sleep(2 * time.Hour)
				must(t, m.rollup.seal(time.Now()))
			case "day closed":
				time.Sleep(24 * time.Hour)
				must(t, m.rollup.seal(time.Now()))
			}
			got, err := m.s.Availability(ctx, Query{Check: "imap", Region: "oceania", From: begin, To: to, Step: 30 * time.Minute})
			must(t, err)
			// Slots begin at :00, :10 and :20, so that 30 s are missing at the start.
			near(t, stage+": oceania", got.Availability, 16170.0/21570)
			if got.UpS != 16170 || got.DownS != 5400 || got.UnknownS != 30 || got.Coverage != 1 {
				t.Errorf("%s: oceania: got %+v", stage, got.Number)
			}
			if got.Runs != 720 || got.Failed != 180 || *got.Low > 0.75 || *got.High < 0.75 {
				t.Errorf("%s: oceania: %d runs, %d failed, %v to %v", stage, got.Runs, got.Failed, *got.Low, *got.High)
			}
			if n := len(got.Points); n != 4 {
				t.Fatalf("%s: %d points, want 4", stage, n)
			}
			// Of the slots that begin before 0:30, two reach 30 s into the second point.
			near(t, stage+": second half hour", got.Points[1].Availability, 30.0/5400)
			if !got.Points[1].T.Equal(begin.Add(30 * time.Minute)) {
				t.Errorf("%s: second point at %v", stage, got.Points[1].T)
			}
			got, err = m.s.Availability(ctx, Query{Service: "mail", From: begin, To: to, Step: day})
			must(t, err)
			near(t, stage+": all regions", got.Availability, (4+3+2*(16170.0/21570))/9)
			if got.UnknownS != 30+3630+30 || got.Coverage != 1 {
				t.Errorf("%s: all regions: got %+v", stage, got.Number)
			}
			whole, err := m.s.Availability(ctx, Query{Service: "mail", From: begin, To: begin.Add(day), Step: day})
			must(t, err)
			if whole.Failed != 180 || len(whole.Points) != 1 {
				t.Errorf("%s: day: %d failed in %d points", stage, whole.Failed, len(whole.Points))
			}
		}
	})
}

// The minute that is not over counts as far as it has passed; a check that was
// never observed, and time before there was anything, count as not looked at.
func TestAvailabilityOfWhatWasNotSeen(t *testing.T) {
	scene(t, func(f *fleet, m *machine, begin time.Time) {
		ctx := context.Background()
		time.Sleep(20 * time.Second)
		now := time.Now()
		got, err := m.s.Availability(ctx, Query{Check: "imap", Region: "eu-north", From: begin.Add(2 * time.Hour), To: now.Add(time.Hour)})
		must(t, err)
		// Slots of 1:59:40 and 1:59:50 reach 10 and 20 s into this minute.
		if got.UpS != 30 || got.UnknownS != 30 || len(got.Points) != 1 {
			t.Errorf("unfinished minute: got %+v", got)
		}
		got, err = m.s.Availability(ctx, Query{Check: "imap", Region: "eu-north", From: begin.Add(-2 * time.Hour), To: begin.Add(2 * time.Hour)})
		must(t, err)
		if near(t, "half of the time", got.Availability, 1); got.Coverage != 0.5 {
			t.Errorf("coverage of twice the time: got %v, want 0.5", got.Coverage)
		}
		config := *f.config
		config.Checks = append(config.Checks, Check{ID: "smtp", Service: "mail", Every: time.Minute, Regions: []string{"eu-north"}})
		f.config = &config
		got, err = m.s.Availability(ctx, Query{Service: "mail", Region: "eu-north", From: begin, To: begin.Add(2 * time.Hour)})
		must(t, err)
		if near(t, "with a check that is not made", got.Availability, 1); got.Coverage != 0.5 || got.UnknownS != 3*7200+30 {
			t.Errorf("with a check that is not made: got %+v", got.Number)
		}
		got, err = m.s.Availability(ctx, Query{Check: "smtp", From: begin, To: begin.Add(time.Hour)})
		must(t, err)
		if got.Availability != nil || got.Low != nil || len(got.Points) != 0 || got.Coverage != 0 {
			t.Errorf("nothing known: got %+v", got)
		}
	})
}

func TestQueriesThatMakeNoSense(t *testing.T) {
	scene(t, func(_ *fleet, m *machine, begin time.Time) {
		for name, q := range map[string]Query{
			"neither check nor service": {From: begin, To: begin.Add(time.Hour)},
			"end before start":          {Check: "imap", From: begin.Add(time.Hour), To: begin},
			"all in the future":         {Check: "imap", From: begin.Add(48 * time.Hour), To: begin.Add(49 * time.Hour)},
			"half a minute":             {Check: "imap", From: begin, To: begin.Add(time.Hour), Step: 30 * time.Second},
			"too many points":           {Check: "imap", From: begin.Add(-100 * time.Hour), To: begin, Step: time.Minute},
		} {
			_, err := m.s.Availability(context.Background(), q)
			var bad *QueryError
			if !errors.As(err, &bad) {
				t.Errorf("%s: got error %v, want a QueryError", name, err)
			}
		}
	})
}

func TestLatency(t *testing.T) {
	scene(t, func(_ *fleet, m *machine, begin time.Time) {
		for _, stage := range []string{"open", "sealed"} {
			if stage == "sealed" {
				time.Sleep(2 * time.Hour)
				must(t, m.rollup.seal(time.Now()))
			}
			q := Query{Check: "imap", Region: "oceania", From: begin, To: begin.Add(2 * time.Hour), Step: 30 * time.Minute}
			got, err := m.s.Latency(context.Background(), q)
			must(t, err)
			var n []uint64
			for _, p := range got.Points {
				n = append(n, p.N)
				if p.P50 < 75 || p.P50 > 85 || p.P99 < p.P95 || p.P95 < p.P50 || p.P99 > 101 {
					t.Errorf("%s: point %+v, want 60 to 100 ms", stage, p)
				}
			}
			// Where no run completed there is no point.
			if diff := cmp.Diff([]uint64{180, 180, 180}, n); diff != "" {
				t.Errorf("%s: runs (-want +got):\n%s", stage, diff)
			}
			q.Phase, q.Step = "connect", 5*time.Minute
			got, err = m.s.Latency(context.Background(), q)
			must(t, err)
			if len(got.Points) != 6 || got.Points[0].N != 90 || math.Abs(got.Points[0].P50-20) > 0.2 {
				t.Errorf("%s: connect: got %+v, want 6 quarters of 90 runs and 20 ms", stage, got.Points)
			}
			q.Phase = ""
			all, err := m.s.Phases(context.Background(), q)
			must(t, err)
			if diff := cmp.Diff(got, all["connect"]); diff != "" || len(all) < 2 {
				t.Errorf("%s: %d phases, want several; connect among them (-alone +among all):\n%s", stage, len(all), diff)
			}
		}
	})
}

func TestFailures(t *testing.T) {
	scene(t, func(_ *fleet, m *machine, begin time.Time) {
		got, err := m.s.Failures(context.Background(), Query{Check: "imap", From: begin, To: begin.Add(2 * time.Hour)})
		must(t, err)
		at := func(minutes int) time.Time { return begin.Add(time.Duration(minutes) * time.Minute) }
		own := func(minutes int) FailureCount {
			return FailureCount{at(minutes), "us-east", checks.Unknown, checks.OwnNetwork, 30}
		}
		dark := func(minutes int) FailureCount {
			return FailureCount{at(minutes), "oceania", checks.Down, checks.ConnectTimeout, 90}
		}
		want := []FailureCount{own(0), own(15), dark(30), own(30), dark(45), own(45)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestStrip(t *testing.T) {
	scene(t, func(_ *fleet, m *machine, begin time.Time) {
		ctx := context.Background()
		time.Sleep(20 * time.Minute)
		m.judge(time.Now())
		must(t, m.told.tick(time.Now(), true))
		q := Query{Check: "imap", Region: "oceania", From: begin, To: begin.Add(3 * time.Hour), Step: 15 * time.Minute}
		got, err := m.s.Strip(ctx, q)
		must(t, err)
		var worst []verdict.State
		for i, c := range got {
			worst = append(worst, c.Worst)
			var sum time.Duration
			for _, d := range c.Time {
				sum += d
			}
			want := min(15*time.Minute, time.Since(c.T))
			if sum != want {
				t.Errorf("cell %d: the states add up to %v, want %v", i, sum, want)
			}
		}
		const up, down, unknown = verdict.Up, verdict.Down, verdict.Unknown
		// Down is judged 35 s after the first failure, and lasts until three good
		// results are in, 20 s after one o'clock.
		want := []verdict.State{up, up, down, down, down, up, up, up, up, unknown}
		if diff := cmp.Diff(want, worst); diff != "" {
			t.Errorf("worst (-want +got):\n%s", diff)
		}
		if d := got[2].Time[verdict.Down]; d < 14*time.Minute || d > 14*time.Minute+30*time.Second {
			t.Errorf("third cell was down for %v, want 35 s less than a quarter of an hour", d)
		}
		if c := got[2]; c.Failed != 90 || c.Runs != 90 || c.Coverage != 1 || c.Trouble < 0.94 {
			t.Errorf("third cell: got %+v", c)
		}
		if c := got[9]; c.Coverage != 0 {
			t.Errorf("last cell, nobody looked: got %+v", c)
		}
		q.Region = ""
		all, err := m.s.Strip(ctx, q)
		must(t, err)
		if math.Abs(all[3].Trouble-2.0/9) > 1e-9 || all[3].Worst != down {
			t.Errorf("all regions: trouble %v with worst %s, want 2/9 down", all[3].Trouble, all[3].Worst)
		}
		q.Step = day
		days, err := m.s.Strip(ctx, q)
		must(t, err)
		if len(days) != 1 || days[0].Worst != down || days[0].Runs != 2160-120 {
			t.Errorf("the day: got %+v", days)
		}
	})
}

func TestVerdictsNow(t *testing.T) {
	scene(t, func(f *fleet, m *machine, begin time.Time) {
		got := m.s.Verdicts()
		if len(got) != 3 {
			t.Fatalf("got %d verdicts, want 3", len(got))
		}
		v := got[1]
		if v.Series != darkness || v.State != verdict.Up || v.Up != 3 || v.Reason != "3 good results in a row from 3 probes" {
			t.Errorf("oceania: got %+v", v)
		}
		time.Sleep(time.Hour)
		m.told.board.pass(time.Now())
		if v := m.s.Verdicts()[1]; v.State != verdict.Unknown || v.Unknown != 3 {
			t.Errorf("an hour later: got %+v", v)
		}
		newest := m.s.NewestObservation()
		if age := begin.Add(2 * time.Hour).Sub(newest["oceania"]); len(newest) != 3 || age > 10*time.Second {
			t.Errorf("newest observations: got %v", newest)
		}
	})
}

func TestObservations(t *testing.T) {
	scene(t, func(_ *fleet, m *machine, begin time.Time) {
		ctx := context.Background()
		got, next, err := m.s.Observations(ctx, ObservationQuery{Region: "oceania", Outcomes: []checks.Outcome{checks.Down}, Limit: 10})
		must(t, err)
		if len(got) != 10 || next != positionOf(got[9]) {
			t.Fatalf("got %d observations, the list goes on at %+v", len(got), next)
		}
		for i, o := range got {
			if o.Outcome != checks.Down || o.Region != "oceania" || i > 0 && o.End().After(got[i-1].End()) {
				t.Errorf("observation %d: %s in %s at %v", i, o.Outcome, o.Region, o.End())
			}
		}
		if want := begin.Add(time.Hour - 10*time.Second); !got[0].Scheduled.Equal(want) {
			t.Errorf("newest failure was planned for %v, want %v", got[0].Scheduled, want)
		}
		q := ObservationQuery{Probe: "us-east-2", From: begin.Add(10 * time.Minute), To: begin.Add(20 * time.Minute), Limit: 1000}
		got, next, err = m.s.Observations(ctx, q)
		must(t, err)
		if len(got) != 20 || next != (Position{}) {
			t.Errorf("ten minutes of one probe: got %d, going on at %+v, want 20 and the end", len(got), next)
		}
		one := got[7]
		got, _, err = m.s.Observations(ctx, ObservationQuery{Probe: one.Probe, Epoch: one.Epoch, Seq: one.Seq})
		must(t, err)
		if len(got) != 1 || got[0].Seq != one.Seq {
			t.Errorf("one observation: got %d", len(got))
		}
		if _, _, err := m.s.Observations(ctx, ObservationQuery{Limit: -1}); err == nil {
			t.Error("limit -1 was accepted")
		}
	})
}

// TestFamilies: a query of one family is answered from that family alone.
func TestFamilies(t *testing.T) {
	scene(t, func(_ *fleet, m *machine, begin time.Time) {
		for family, want := range map[checks.Family]bool{checks.NoFamily: true, checks.IPv4: true, checks.IPv6: false} {
			q := Query{Check: "imap", Region: "oceania", Family: family, From: begin.Add(30 * time.Minute), To: begin.Add(time.Hour), Step: time.Hour}
			got, err := m.s.Failures(context.Background(), q)
			must(t, err)
			if len(got) > 0 != want {
				t.Errorf("%s: %d classes of failures", family.Name(), len(got))
			}
			a, err := m.s.Availability(context.Background(), q)
			must(t, err)
			if known := a.Availability != nil; known != want {
				t.Errorf("%s: known %v", family.Name(), known)
			}
		}
	})
}
