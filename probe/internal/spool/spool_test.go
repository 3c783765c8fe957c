package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/proto/wire"
)

var start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// observation returns the i-th observation of a test, made i seconds after the
// start.
func observation(i int) checks.Observation {
	at := start.Add(time.Duration(i) * time.Second)
	return checks.Observation{
		Check: "imap-login", Service: "imap", Family: checks.IPv4, Plan: 7,
		Scheduled: at, Started: at, Every: 30 * time.Second,
		Result: checks.Result{
			Outcome: checks.Down, FailedPhase: checks.TLS, Class: checks.TLSTimeout,
			Detail: fmt.Sprintf("run %d saw no ServerHello within 5s", i), Address: "192.0.2.25:993",
			Elapsed: 5 * time.Second,
			Phases:  []checks.PhaseTiming{{Name: checks.Connect, Duration: 22 * time.Millisecond}, {Name: checks.TLS, Duration: 4978 * time.Millisecond}},
		},
	}
}

func open(t *testing.T, dir, epoch string) *Spool {
	t.Helper()
	return openWith(t, Options{Dir: dir, Epoch: epoch, MaxBytes: MinMaxBytes, NoSync: true})
}

func openWith(t *testing.T, opt Options) *Spool {
	t.Helper()
	opt.Logger = slog.New(slog.DiscardHandler)
	s, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// fill appends the observations from to to, both included, which get the same
// numbers when nothing was appended before from 1.
func fill(t *testing.T, s *Spool, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		if _, err := s.Append(observation(i)); err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 { // nobody measures faster than it is compressed
			idle(s)
		}
	}
	idle(s)
}

// idle waits until everything is compressed that is to be.
func idle(s *Spool) {
	s.commitMu.Lock() // who appends may begin it
	defer s.commitMu.Unlock()
	s.work.Wait()
}

// TestEventsStandAmongObservations: numbered with them, and there after a restart
// and under another epoch.
func TestEventsStandAmongObservations(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	fill(t, s, 1, 2)
	mail := &checks.MailEvent{Mail: "0a1b", Check: "loop", Service: "mail", Route: "internal", Sent: start, State: checks.MailPending}
	if err := s.AppendEvent(wire.Event{At: start, Mail: mail}); err != nil {
		t.Fatal(err)
	}
	fill(t, s, 4, 4)
	if err := s.AppendEvent(wire.Event{At: start}); err == nil {
		t.Error("took an event that says nothing")
	}
	if got, want := s.Stats().Records, uint64(4); got != want {
		t.Errorf("%d records wait, want %d", got, want)
	}
	s.Close()
	s = open(t, dir, "e2")
	check := func(epoch string) {
		t.Helper()
		recs := drain(t, s, epoch, 0)
		if show(recs) != "1 2 3 4" || recs[2].Event == nil || !cmp.Equal(recs[2].Event.Mail, mail) || recs[3].Event != nil {
			t.Errorf("epoch %s holds %s, %+v", epoch, show(recs), recs)
		}
	}
	check("e1")
	fill(t, s, 1, 2)
	if err := errors.Join(s.AppendEvent(wire.Event{At: start, Mail: mail}), s.Ack("e1", 4)); err != nil {
		t.Fatal(err)
	}
	fill(t, s, 4, 4)
	if err := s.Renew(); err != nil {
		t.Fatal(err)
	}
	check(s.Epoch())
}

// drain reads everything of an epoch after the given number.
func drain(t *testing.T, s *Spool, epoch string, after uint64) []wire.Record {
	t.Helper()
	var all []wire.Record
	for {
		recs, err := s.Next(epoch, after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(recs) == 0 {
			return all
		}
		for _, r := range recs {
			if r.First() != after+1 {
				t.Fatalf("record begins at %d, want %d", r.First(), after+1)
			}
			after = r.Last()
		}
		all = append(all, recs...)
	}
}

// show writes records as "1 2 [3-9] 10".
func show(recs []wire.Record) string {
	var out []string
	for _, r := range recs {
		if r.Gap != nil {
			out = append(out, fmt.Sprintf("[%d-%d]", r.First(), r.Last()))
		} else {
			out = append(out, fmt.Sprint(r.First()))
		}
	}
	return strings.Join(out, " ")
}

func numbers(from, to int) string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return strings.Join(out, " ")
}

func TestAppendNumbersAndNextHandsOutInOrder(t *testing.T) {
	s := open(t, t.TempDir(), "e1")
	o, err := s.Append(observation(1))
	if err != nil {
		t.Fatal(err)
	}
	want := observation(1)
	want.Epoch, want.Seq = "e1", 1
	if d := cmp.Diff(want, o); d != "" {
		t.Errorf("appended (-want +got):\n%s", d)
	}
	fill(t, s, 2, 200)
	recs := drain(t, s, "e1", 0)
	if got := show(recs); got != numbers(1, 200) {
		t.Fatalf("got %s", got)
	}
	if d := cmp.Diff(wire.Record{Observation: want}, recs[0]); d != "" {
		t.Errorf("first record (-want +got):\n%s", d)
	}
	if got := show(drain(t, s, "e1", 130)); got != numbers(131, 200) {
		t.Errorf("after 130 got %s", got)
	}
	if st := s.Stats(); st.Records != 200 || st.Dropped != 0 || st.Epochs != 1 || !st.Oldest.Equal(want.Started) {
		t.Errorf("stats %+v", st)
	}
}

func TestAckTwiceIsAckOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	fill(t, s, 1, 100)
	segs, _ := segmentPaths(filepath.Join(dir, "e1"))
	for range 2 {
		if err := s.Ack("e1", 60); err != nil {
			t.Fatal(err)
		}
		if err := s.Ack("e1", 20); err != nil { // an older mark changes nothing
			t.Fatal(err)
		}
		if got := s.Stats().Records; got != 40 {
			t.Errorf("%d records wait, want 40", got)
		}
	}
	if got := show(drain(t, s, "e1", 60)); got != numbers(61, 100) {
		t.Errorf("got %s", got)
	}
	left, _ := segmentPaths(filepath.Join(dir, "e1"))
	if len(segs) < 3 || len(left) >= len(segs) {
		t.Errorf("%d segments before, %d after; acknowledged ones must go", len(segs), len(left))
	}
	if err := s.Ack("gone", 5); err != nil {
		t.Errorf("ack of an epoch that has gone: %v", err)
	}
	if err := s.Ack("e1", 1<<40); err != nil {
		t.Fatal(err)
	}
	fill(t, s, 101, 101)
	if got := show(drain(t, s, "e1", 100)); got != "101" {
		t.Errorf("after an ack of more than there is got %s", got)
	}
}

// Who keeps up leaves one segment on disk, however much goes through.
func TestAcknowledgedSegmentsDoNotStay(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	for i := 1; i <= 100; i++ {
		fill(t, s, i, i)
		if segs, _ := segmentPaths(filepath.Join(dir, "e1")); len(segs) != 1 {
			t.Fatalf("after %d observations %d segments, want 1", i, len(segs))
		}
		if err := s.Ack("e1", uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// A coordinator that was restored from a backup asks for what it once
// acknowledged: the answer must be able to continue its mark.
func TestNextBelowTheMarkIsAGap(t *testing.T) {
	s := open(t, t.TempDir(), "e1")
	fill(t, s, 1, 100)
	if err := s.Ack("e1", 60); err != nil {
		t.Fatal(err)
	}
	recs := drain(t, s, "e1", 10)
	if got := show(recs); got != "[11-60] "+numbers(61, 100) {
		t.Fatalf("got %s", got)
	}
	if g := recs[0].Gap; !g.From.Equal(start.Add(time.Second)) || g.To.Before(start.Add(60*time.Second)) {
		t.Errorf("gap from %s to %s", g.From, g.To)
	}
}

func TestOldEpochsComeFirstAndDisappear(t *testing.T) {
	dir := t.TempDir()
	for _, epoch := range []string{"e1", "e2", "e3"} {
		s := open(t, dir, epoch)
		if epoch != "e2" { // e2 leaves nothing
			fill(t, s, 1, 50)
		}
		if err := s.Ack("e1", 5); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, "e4")
	select {
	case <-s.Ready():
	default:
		t.Error("not ready although old epochs wait")
	}
	if got, want := s.Epochs(), []string{"e1", "e3", "e4"}; !slices.Equal(got, want) {
		t.Fatalf("epochs %v, want %v", got, want)
	}
	if got := show(drain(t, s, "e1", 5)); got != numbers(6, 50) {
		t.Errorf("e1 holds %s", got)
	}
	if err := s.Ack("e1", 50); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Epochs(), []string{"e3", "e4"}; !slices.Equal(got, want) {
		t.Errorf("epochs %v, want %v", got, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "e1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder of a spent epoch: %v", err)
	}
}

func TestReadyIsSignalledAfterAppend(t *testing.T) {
	s := open(t, t.TempDir(), "e1")
	select {
	case <-s.Ready():
		t.Fatal("ready before anything was appended")
	default:
	}
	fill(t, s, 1, 3)
	<-s.Ready()
	if got := show(drain(t, s, "e1", 0)); got != "1 2 3" {
		t.Errorf("got %s", got)
	}
}

func TestAppendRefusesWhatNobodyCouldRead(t *testing.T) {
	s := open(t, t.TempDir(), "e1")
	for name, spoil := range map[string]func(*checks.Observation){
		"no id":         func(o *checks.Observation) { o.Check = "Not an id" },
		"no family":     func(o *checks.Observation) { o.Family = checks.NoFamily },
		"long detail":   func(o *checks.Observation) { o.Detail = strings.Repeat("x", checks.DetailMax+1) },
		"invalid UTF-8": func(o *checks.Observation) { o.Detail = "\xff" },
	} {
		o := observation(1)
		spoil(&o)
		if _, err := s.Append(o); err == nil {
			t.Errorf("%s: appended", name)
		}
	}
	fill(t, s, 1, 1)
	if got := show(drain(t, s, "e1", 0)); got != "1" || s.Stats().Dropped != 0 {
		t.Errorf("got %s, %d dropped; what was refused takes no number", got, s.Stats().Dropped)
	}
}

func TestOneFolderOneProgram(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	_, err := Open(Options{Dir: dir, Epoch: "e2"})
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v, want ErrLocked", err)
	}
	if want := "lock spool " + dir + ": in use by another probe"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, "e2")
	if _, err := s.Append(observation(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, "e1").Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "taken", "e9"), 0o700); err != nil {
		t.Fatal(err)
	}
	for want, opt := range map[string]Options{
		"no folder given": {Epoch: "e1"},
		`epoch "E/1", expected 1 to 64 of a-z, 0-9 and -`: {Dir: dir, Epoch: "E/1"},
		"bound of 1 bytes, expected at least 65536":       {Dir: dir, Epoch: "e2", MaxBytes: 1},
		"not a directory": {Dir: file, Epoch: "e2"},
		"begin epoch":     {Dir: filepath.Join(dir, "taken"), Epoch: "e9"},
	} {
		if s, err := Open(opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %s", opt, err, want)
			if s != nil {
				s.Close()
			}
		}
	}
}

func TestNewEpoch(t *testing.T) {
	at := time.UnixMilli(0x0192f3a1c2d4)
	a, b := NewEpoch(at), NewEpoch(at)
	if !regexp.MustCompile(`^0192f3a1c2d4-[0-9a-f]{8}$`).MatchString(a) || a == b {
		t.Errorf("got %s and %s", a, b)
	}
	if later := NewEpoch(at.Add(time.Millisecond)); later < a {
		t.Errorf("%s sorts before %s", later, a)
	}
}
