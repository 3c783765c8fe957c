package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/checks/roundtrip"
)

// mail is the n-th mail of a test.
func mail(n int) roundtrip.Mail {
	at := time.Now().Add(time.Duration(n) * time.Second).Round(0).UTC()
	return roundtrip.Mail{
		ID: fmt.Sprintf("%032x", n), Token: "t", Check: "mail-loop", Service: "imap", Route: "out", Probe: "osl-1",
		From: "a@example.net", To: "b@example.net", Family: checks.IPv6, Plan: 7, Every: time.Hour, Late: time.Minute,
		Scheduled: at, Started: at, Written: at,
		Submission: checks.Result{
			Outcome: checks.Up, Address: "192.0.2.1:465", Elapsed: time.Second,
			Phases: []checks.PhaseTiming{{Name: checks.Submit, Duration: time.Second}},
			TLS:    &checks.Handshake{Version: "1.3", Chain: []checks.Certificate{{Subject: "a", NotAfter: at}}},
		},
	}
}

// open opens the ledger in dir, as a start of the program does.
func open(t *testing.T, dir string, log *bytes.Buffer) *Ledger {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	if log != nil {
		logger = slog.New(slog.NewTextHandler(log, nil))
	}
	l, err := Open(Options{Dir: dir, Owner: "one", Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func all(l *Ledger) []roundtrip.Mail { return l.List(func(roundtrip.Mail) bool { return true }) }

// TestReopened: what was entered and changed is there again, with its key.
func TestReopened(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, nil)
	for n := range 3 {
		if err := l.Enter(mail(n)); err != nil {
			t.Fatal(err)
		}
	}
	l.Withdraw(mail(0).ID)
	found := time.Now().Round(0).UTC()
	l.Change(mail(1).ID, func(m *roundtrip.Mail) {
		m.State, m.Found, m.Closed, m.Observed, m.Arrival = checks.MailArrived, found, found, true, roundtrip.Arrival{Junk: true, SPF: "pass"}
	})
	again := open(t, dir, nil)
	if got, want := all(again), all(l); len(got) != 2 || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if !bytes.Equal(again.Key(), l.Key()) || len(l.Key()) != roundtrip.KeySize {
		t.Errorf("key %x, want %x", again.Key(), l.Key())
	}
	files, err := os.ReadDir(again.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if i, err := f.Info(); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %s, %v, want 0600", f.Name(), i.Mode(), err)
		}
	}
	if len(files) != 3 {
		t.Errorf("%d files, want the key and two mails", len(files))
	}
}

// TestKilled: a kill at any step of a write, and at any byte of the file that is
// written, leaves the mail as it was before or after.
func TestKilled(t *testing.T) {
	killed := errors.New("killed")
	for _, step := range []string{"write", "sync", "rename", "sync folder"} {
		dir := t.TempDir()
		l := open(t, dir, nil)
		if err := l.Enter(mail(1)); err != nil {
			t.Fatal(err)
		}
		before, _ := l.Mail(mail(1).ID)
		l.disk.step = func(s string) error {
			if s == step {
				panic(killed)
			}
			return nil
		}
		func() {
			defer func() {
				if r, _ := recover().(error); !errors.Is(r, killed) {
					t.Errorf("%s: %v", step, r)
				}
			}()
			l.Change(before.ID, func(m *roundtrip.Mail) { m.Observed = true })
		}()
		after, _ := open(t, dir, nil).Mail(before.ID)
		before.Observed = step == "sync folder"
		if !reflect.DeepEqual(after, before) {
			t.Errorf("killed at %s: got %+v, want %+v", step, after, before)
		}
	}
}

func TestTornFiles(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, nil)
	for n := range 2 {
		if err := l.Enter(mail(n)); err != nil {
			t.Fatal(err)
		}
	}
	path := l.path(mail(0).ID)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) {
		// What a write leaves that did not come to its end.
		if err := os.WriteFile(l.path(mail(1).ID)+newSuffix, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		// What a file system leaves that does not keep its promises.
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		if got := all(open(t, dir, &log)); len(got) != 1 || got[0].ID != mail(1).ID || !strings.Contains(log.String(), "set aside") {
			t.Fatalf("torn at byte %d: got %+v, want the other mail; logged\n%s", n, got, &log)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := all(open(t, dir, nil)); len(got) != 2 {
		t.Errorf("got %+v, want both", got)
	}
}

// TestDamagedKey: mails keep the tokens that they were sent with.
func TestDamagedKey(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, nil)
	if err := l.Enter(mail(1)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.dir, keyFile), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	again := open(t, dir, &log)
	if len(again.Key()) != roundtrip.KeySize || len(all(again)) != 1 || !strings.Contains(log.String(), "key of the ledger is damaged") {
		t.Errorf("key %x, %d mails, logged\n%s", again.Key(), len(all(again)), &log)
	}
	if err := again.Enter(mail(2)); err != nil || !bytes.Equal(open(t, dir, nil).Key(), again.Key()) {
		t.Errorf("%v: the new key does not stay", err)
	}
}

// TestFailingDisk: what cannot be written cannot be entered; what was changed
// meanwhile is written later.
func TestFailingDisk(t *testing.T) {
	full := errors.New("no space left on device")
	for _, step := range []string{"write", "sync", "rename", "sync folder"} {
		dir := t.TempDir()
		var log bytes.Buffer
		l := open(t, dir, &log)
		if err := l.Enter(mail(1)); err != nil {
			t.Fatal(err)
		}
		l.disk.step = func(s string) error {
			if s == step {
				return full
			}
			return nil
		}
		if err := l.Enter(mail(2)); !errors.Is(err, full) {
			t.Errorf("%s: entered: %v", step, err)
		}
		if len(all(l)) != 1 || len(all(open(t, dir, nil))) != 1 {
			t.Errorf("%s: a mail that was not entered is there", step)
		}
		for range 3 {
			if m, ok := l.Change(mail(1).ID, func(m *roundtrip.Mail) { m.Observed = true }); !ok || !m.Observed {
				t.Errorf("%s: got %+v, want it changed", step, m)
			}
		}
		if n := strings.Count(log.String(), "cannot be written"); n != 1 {
			t.Errorf("%s: told %d times, want once", step, n)
		}
		l.disk.step = nil
		l.Tidy()
		if m, _ := open(t, dir, nil).Mail(mail(1).ID); !m.Observed {
			t.Errorf("%s: the change is not on disk", step)
		}
	}
}

// TestNewOnAFullDisk: a ledger opens where nothing can be written, and takes mails
// as soon as something can.
func TestNewOnAFullDisk(t *testing.T) {
	full := errors.New("no space left on device")
	l := open(t, t.TempDir(), nil)
	l.disk.step = func(string) error { return full }
	if err := l.Enter(mail(1)); !errors.Is(err, full) {
		t.Errorf("got %v, want a full disk", err)
	}
	l.disk.step = nil
	if err := l.Enter(mail(1)); err != nil {
		t.Error(err)
	}
}

// TestBound: a ledger never holds more than Max mails, and gives up none that is
// still looked for.
func TestBound(t *testing.T) {
	l, err := Open(Options{Dir: t.TempDir(), Owner: "one", NoSync: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for n := range Max {
		m := mail(n)
		if m.Told = true; n < 2 {
			m.Closed = m.Written
		}
		if err := l.Enter(m); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 3 {
		if err := l.Enter(mail(Max + n)); (n == 2) != errors.Is(err, ErrFull) {
			t.Errorf("one too many, the %d. time: %v", n+1, err)
		}
	}
	if files, err := os.ReadDir(l.dir); err != nil || len(files) != Max+1 {
		t.Errorf("%d files, %v, want %d and the key", len(files), err, Max)
	}
}

// TestForgotten: a mail of which there is no more to learn is known for six days.
func TestForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, t.TempDir(), nil)
		for n := range 2 {
			if err := l.Enter(mail(n)); err != nil {
				t.Fatal(err)
			}
		}
		l.Change(mail(0).ID, func(m *roundtrip.Mail) { m.Closed = time.Now() })
		id := mail(0).ID
		time.Sleep(Keep)
		l.Tidy()
		if _, ok := l.Mail(id); !ok {
			t.Error("forgotten too early")
		}
		time.Sleep(time.Nanosecond)
		l.Tidy()
		if got := all(l); len(got) != 1 || got[0].ID == id {
			t.Errorf("got %+v, want the open one", got)
		}
	})
}

// TestAnotherOwner: a machine that has become another probe follows none of the
// mails of the one that it was.
func TestAnotherOwner(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, nil)
	if err := l.Enter(mail(1)); err != nil {
		t.Fatal(err)
	}
	two, err := Open(Options{Dir: dir, Owner: "two", Logger: slog.New(slog.DiscardHandler)})
	if err != nil || len(all(two)) != 0 || bytes.Equal(two.Key(), l.Key()) {
		t.Errorf("%v: got %+v, want another ledger", err, all(two))
	}
	if got := all(open(t, dir, nil)); len(got) != 1 {
		t.Errorf("got %+v, want the first owner's", got)
	}
}
