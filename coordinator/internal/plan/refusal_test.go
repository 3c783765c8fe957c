package plan_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/plan"
)

// refused fails unless making the plan ends with the given error, and the last
// plan is what it was, in memory and on disk.
func (w *world) refused(t *testing.T, m *plan.Maker, want string) {
	t.Helper()
	before, file := w.answer(t, m), w.keptFile(t)
	changed, err := m.Make(w.in)
	if err == nil || changed || err.Error() != want {
		t.Errorf("changed %t\ngot error  %v\nwant error %s", changed, err, want)
	}
	if diff := cmp.Diff(before, w.answer(t, m)); diff != "" {
		t.Errorf("the last plan did not stay (-before +after):\n%s", diff)
	}
	if w.keptFile(t) != file {
		t.Error("the file was changed")
	}
}

func (w *world) answer(t *testing.T, m *plan.Maker) any {
	t.Helper()
	p, secrets := w.read(t, m, "osl-1")
	return []any{p, secrets}
}

func TestSecretFilesThatCannotBeUsed(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		want    string
	}{
		"missing":    {"", "%s: no such file or directory, expected a file with the password as its only line"},
		"empty":      {"\n", "%s: empty, expected a file with the password as its only line"},
		"two lines":  {"one\ntwo\n", "%s: more than one line, expected a file with the password as its only line"},
		"not text":   {"\xff\xfe", "%s: not UTF-8 text, expected a file with the password as its only line"},
		"wrong file": {strings.Repeat("long", 1025), "%s: more than 4096 bytes, expected a file with the password as its only line"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m := w.open(t)
			w.make(t, m, true)
			path := filepath.Join(w.dir, "imap")
			if c.content != "" {
				w.write(t, "imap", c.content)
			} else if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			w.refused(t, m, `make plan: check "imap-login": login.password.file: `+fmt.Sprintf(c.want, path))
			w.write(t, "imap", "new")
			w.make(t, m, true)
		})
	}
}

// TestAllSecretFilesAtOnce: an operator mends all faults in one go.
func TestAllSecretFilesAtOnce(t *testing.T) {
	w := newWorld(t)
	m := w.open(t)
	w.make(t, m, true)
	w.write(t, "imap", "")
	w.write(t, "smtp", "")
	w.refused(t, m, fmt.Sprintf("make plan: check %q: login.password.file: %s: empty, expected a file with the password as its only line\n"+
		"check %q: login.password.file: %s: empty, expected a file with the password as its only line",
		"imap-login", filepath.Join(w.dir, "imap"), "smtp-login", filepath.Join(w.dir, "smtp")))
}

func TestInputsThatMakeNoPlan(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*world)
		want  string
	}{
		"two files": {
			func(w *world) { w.in.Checks[2].Login.Password.Name = "imap-login" },
			`make plan: check "smtp-login": login.password: "imap-login" names two files, DIR/imap and DIR/smtp`,
		},
		"recipient": {
			func(w *world) { w.in.Probes[0].Recipient = "age1x" },
			`make plan: seal secrets to syd-1: recipient "age1x": malformed recipient "age1x": separator '1' at invalid position: pos=3, len=5`,
		},
		"check":    {func(w *world) { w.in.Checks[0].Every = time.Second }, "make plan: plan: checks[0]: every: 1s, expected 5s to 24h0m0s"},
		"mesh key": {func(w *world) { w.in.GossipKeys[0] = nil }, "make plan: plan: gossip_keys[0]: 0 bytes, expected 32"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m := w.open(t)
			w.make(t, m, true)
			c.spoil(w)
			w.refused(t, m, strings.ReplaceAll(c.want, "DIR", w.dir))
		})
	}
}

// TestPlanTooLargeToTravel: it would reach no probe.
func TestPlanTooLargeToTravel(t *testing.T) {
	w := newWorld(t)
	m := w.open(t)
	w.in.Checks[0].CA = &checks.Authority{PEM: make([]byte, plan.MaxBytes)}
	if _, err := m.Make(w.in); err == nil || !strings.HasSuffix(err.Error(), " bytes, expected at most 3145728") {
		t.Errorf("got %v", err)
	}
	w.in.Checks[0].CA.PEM = w.in.Checks[0].CA.PEM[:plan.MaxBytes-4096]
	w.make(t, m, true)
}

// TestDiskFails: a plan that is not on disk is none.
func TestDiskFails(t *testing.T) {
	w := newWorld(t)
	m := w.open(t)
	if err := os.WriteFile(w.kept, nil, 0o600); err != nil { // where the folder should be
		t.Fatal(err)
	}
	if changed, err := m.Make(w.in); err == nil || changed {
		t.Errorf("made a plan that could not be written: %t, %v", changed, err)
	}
	if _, ok := m.Current(); ok {
		t.Error("handed out a plan that is not on disk")
	}
	if err := os.Remove(w.kept); err != nil {
		t.Fatal(err)
	}
	w.make(t, m, true)
}

// TestNoSecretIsLeft: neither in the file nor in the log nor in an error.
func TestNoSecretIsLeft(t *testing.T) {
	w := newWorld(t)
	m := w.open(t)
	w.make(t, m, true)
	w.in.Checks[0].Every = 0
	_, err := m.Make(w.in)
	if err == nil {
		t.Fatal("a check without an interval")
	}
	w.write(t, "imap", imapPassword+"\nsecond")
	_, second := m.Make(w.in)
	if second == nil {
		t.Fatal("a password of two lines")
	}
	for where, text := range map[string]string{
		"file": w.keptFile(t), "log": w.log.String(), "error": err.Error(), "other error": second.Error(),
	} {
		if strings.Contains(text, imapPassword) || strings.Contains(text, smtpPassword) {
			t.Errorf("a password stands in the %s", where)
		}
	}
	if !strings.Contains(w.log.String(), "plan made") {
		t.Error("the log says nothing of the plan")
	}
}

func TestDamagedFile(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"cut":     {`{"generation":1,`, "unexpected end of JSON input; remove it to begin a new generation"},
		"number":  {`{"generation":1}`, "number 1.0, expected both above zero; remove it to begin a new generation"},
		"content": {`{"content_sha256":"ab"}`, "2 characters, expected 64 of 0-9 and a-f; remove it to begin a new generation"},
	} {
		w := newWorld(t)
		if err := os.Mkdir(w.kept, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(w.kept, "plan.json")
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := plan.Open(plan.Options{Dir: w.kept, Key: testKey(), Logger: slog.New(slog.DiscardHandler)})
		if want := fmt.Sprintf("plan: read %s: %s", path, c.want); err == nil || err.Error() != want {
			t.Errorf("%s: got error  %v\nwant error %s", name, err, want)
		}
	}
}

func TestOpenRefusals(t *testing.T) {
	if _, err := plan.Open(plan.Options{Dir: t.TempDir()}); err == nil || err.Error() != "plan: Dir, Key and Logger are required" {
		t.Errorf("got %v", err)
	}
}

// FuzzKeptFile puts anything where the last plan should be.
func FuzzKeptFile(f *testing.F) {
	f.Add([]byte(`{"generation":1,"revision":2,"content_sha256":"` + strings.Repeat("00", 32) + `","plan":"AAAA","signature":"AAAA"}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, "plan.json"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := plan.Open(plan.Options{Dir: dir, Key: testKey(), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return
		}
		if _, ok := m.Current(); ok {
			t.Error("took a plan that nobody signed")
		}
	})
}
