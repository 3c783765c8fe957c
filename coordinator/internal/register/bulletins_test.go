package register

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"varde/coordinator/internal/bulletin"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

// shown is a page of all services that tells what has lasted for a minute.
func shown(t *testing.T) []bulletin.Policy {
	t.Helper()
	words, err := bulletin.BuiltIn("en")
	if err != nil {
		t.Fatal(err)
	}
	var services []string
	for _, s := range world().Services {
		services = append(services, s.ID)
	}
	minute := map[incident.Impact]time.Duration{incident.MinorImpact: time.Minute, incident.MajorImpact: time.Minute, incident.CriticalImpact: time.Minute}
	return []bulletin.Policy{{Page: "main", Services: services, Mode: bulletin.Auto, Dwell: minute, Within: time.Minute, Lexicon: words}}
}

// openTold opens bulletins over the incidents of a register.
func openTold(t *testing.T, m *memory, i *Incidents, changed func([]bulletin.Bulletin)) *Bulletins {
	t.Helper()
	policies := shown(t)
	b, err := OpenBulletins(t.Context(), BulletinOptions{
		Store: m, Incidents: func() []incident.Whole { return incident.Wholes(i.All()) }, World: world,
		Policies: func() []bulletin.Policy { return policies }, Changed: changed, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// look makes a step at a minute of the test's day.
func look(t *testing.T, b *Bulletins, minute float64) time.Time {
	t.Helper()
	next, err := b.step(t.Context(), at(minute))
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// TestBulletinsAreTold: nothing before its time, which the step names, then once; what is
// said is there after a restart and is not said again.
func TestBulletinsAreTold(t *testing.T) {
	r, m := new(record), newMemory()
	i := open(t, newMemory(), r)
	r.tell(2, turn(series("imap", "oceania"), verdict.Up, verdict.Down, 1))
	step(t, i)
	told := 0
	b := openTold(t, m, i, func(list []bulletin.Bulletin) { told += len(list) })
	next := look(t, b, 1.5)
	if want := i.All()[0].Detected.Add(time.Minute); told != 0 || len(b.All()) != 0 || !next.Equal(want) {
		t.Fatalf("told %d before its time, looks again at %v, want at %v", told, next, want)
	}
	look(t, b, 1.9) // not due
	look(t, b, next.Sub(at(0)).Minutes())
	if list := b.All(); told != 1 || len(list) != 1 || len(list[0].Updates) != 1 || !list[0].Updates[0].At.Equal(next) {
		t.Fatalf("told %d times: %+v", told, list)
	}
	again := openTold(t, m, i, func([]bulletin.Bulletin) { t.Error("told again after a restart") })
	look(t, again, 3)
	if list := again.All(); len(list) != 1 || len(list[0].Updates) != 1 {
		t.Errorf("after a restart: %+v", list)
	}
}

// TestBulletinsSurviveTheStore: whatever write fails, landed or not, all is told once in the
// end, and what is told is on disk.
func TestBulletinsSurviveTheStore(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		r, m := new(record), newMemory()
		i := open(t, newMemory(), r)
		r.tell(2, turn(series("imap", "oceania"), verdict.Up, verdict.Down, 1))
		step(t, i)
		told := 0
		b := openTold(t, m, i, func([]bulletin.Bulletin) { told++ })
		m.puts, m.deaf = 0, deaf
		if _, err := b.step(t.Context(), at(3)); err == nil || told != 0 {
			t.Fatalf("deaf=%v: the store fails: got %v, told %d times", deaf, err, told)
		}
		m.puts = -1
		for minute := 4.0; minute < 8; minute++ { // after a conflict it is as it is on disk
			_, _ = b.step(t.Context(), at(minute))
		}
		if list := b.All(); len(list) != 1 || len(list[0].Updates) != 1 {
			t.Errorf("deaf=%v: got %+v", deaf, list)
		}
		if again := openTold(t, m, i, nil).All(); len(again) != 1 || len(again[0].Updates) != 1 {
			t.Errorf("deaf=%v: on disk: %+v", deaf, again)
		}
	}
}

// TestPeopleAndBulletins: what people do is kept, and refused where there is nothing.
func TestPeopleAndBulletins(t *testing.T) {
	r, m := new(record), newMemory()
	i := open(t, newMemory(), r)
	r.tell(2, turn(series("imap", "oceania"), verdict.Up, verdict.Down, 1))
	step(t, i)
	b := openTold(t, m, i, func([]bulletin.Bulletin) {})
	id := i.All()[0].ID
	order := bulletin.Order{Deed: bulletin.Posting, Mark: incident.Mark{At: at(4), By: "Kari", Text: "We are on it."}}
	if _, err := b.Do(t.Context(), "main", id, order); !errors.Is(err, ErrNoBulletin) {
		t.Errorf("before it is told: got %v", err)
	}
	look(t, b, 3)
	got, err := b.Do(t.Context(), "main", id, order)
	if err != nil || len(got.Updates) != 2 || got.Taken == nil {
		t.Fatalf("got %+v, %v", got, err)
	}
	if again := openTold(t, m, i, nil); len(again.All()[0].Updates) != 2 {
		t.Error("what a person wrote is lost")
	}
	if _, err := b.Do(t.Context(), "other", id, order); !errors.Is(err, ErrNoBulletin) {
		t.Errorf("on a page that tells nothing: got %v", err)
	}
}

// TestBulletinsRun: they are told at their time to the millisecond, with nobody asking, and
// while incidents change.
func TestBulletinsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, r := (*Incidents)(nil), new(record)
		var b *Bulletins
		i = open(t, newMemory(), r, func(o *IncidentOptions) {
			o.Changed = func(list []incident.Whole) { b.Touched(list) }
		})
		var told []time.Time
		b = openTold(t, newMemory(), i, func([]bulletin.Bulletin) { told = append(told, time.Now()) })
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Run(ctx) }()
		begin := time.Now()
		time.Sleep(10 * time.Second)
		c := turn(series("imap", "oceania"), verdict.Up, verdict.Down, 0)
		c.At, c.Since = time.Now(), time.Now()
		r.told, r.until = []Change{{1, c}}, time.Now()
		step(t, i)
		time.Sleep(2 * time.Minute)
		stop()
		if err := <-done; err != nil || len(told) != 1 || !told[0].Equal(begin.Add(70*time.Second)) {
			t.Errorf("told at %v, %v, want at %v", told, err, begin.Add(70*time.Second))
		}
	})
}
