package archive

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"varde/coordinator/internal/report"
)

func TestMain(m *testing.M) {
	singleThreaded()
	goleak.VerifyTestMain(m)
}

func opened(t *testing.T) (*Archive, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "reports")
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a, dir
}

var october = report.Month{Year: 2026, Month: time.October}

func TestKeepAndRead(t *testing.T) {
	a, dir := opened(t)
	all, fjord, september := Name{Month: october}, Name{october, "fjord"}, Name{Month: report.Month{Year: 2026, Month: time.September}}
	if _, err := a.Read(all, report.HTML); !errors.Is(err, ErrNone) {
		t.Errorf("an empty archive: got %v", err)
	}
	for _, n := range []Name{september, fjord, all} {
		if err := a.Keep(n, report.Report{Month: n.Month, Written: n.Month.To()}); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range report.Formats() {
		if b, err := a.Read(fjord, f); err != nil || len(b) == 0 {
			t.Errorf("%s: got %d bytes, %v", f, len(b), err)
		}
	}
	for _, name := range []string{"notes.html", "2026-1.html", "2026-10.html.bak", "2026-10-UP.html", ".2026-10.html-123", "2026-11.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := a.List(); err != nil || !slices.Equal(got, []Name{all, fjord, september}) {
		t.Errorf("got %v, %v, want the three reports, the newest first", got, err)
	}
	before, _ := a.Read(all, report.HTML)
	if err := a.Keep(all, report.Report{Month: october, Coordinator: "another"}); err == nil || !strings.Contains(err.Error(), "report 2026-10 is there already") {
		t.Errorf("a second one: got %v", err)
	}
	if after, _ := a.Read(all, report.HTML); string(after) != string(before) {
		t.Error("a report was written over")
	}
	// A crash between two forms: no report is there before its page is.
	if _, err := a.Read(Name{Month: report.Month{Year: 2026, Month: time.November}}, report.JSON); !errors.Is(err, ErrNone) {
		t.Errorf("half a report: got %v, want none", err)
	}
	if info, err := os.Stat(a.path(all, report.HTML)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a file for its owner alone", info, err)
	}
}

func TestNames(t *testing.T) {
	for _, text := range []string{"2026-10", "2026-10-fjord", "2026-10-a-1"} {
		if n, err := ParseName(text); err != nil || n.String() != text {
			t.Errorf("%s: got %v, %v", text, n, err)
		}
	}
}

// FuzzParseName: whatever is asked for, no name leads out of the folder, and each has one
// way to be written.
func FuzzParseName(f *testing.F) {
	for _, text := range []string{"", "2026-10", "2026-10-", "2026-10-..", "2026-10-../../etc/passwd", "../2026-10", "2026-10\x00", "2026-10-a/b", "2026-10fjord", "2026-10-Fjord", "2026-10-é"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseName(text)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		path := (&Archive{dir: "/reports"}).path(n, report.HTML)
		if n.String() != text || filepath.Dir(path) != "/reports" || strings.ContainsAny(text, "/\\\x00. ") {
			t.Errorf("%q is taken for %v, at %s", text, n, path)
		}
	})
}

// source is a coordinator; what it is asked for fails as long as there are failures.
type source struct {
	providers []string
	until     time.Time
	began     time.Time
	failures  int
	asked     []string
}

func (s *source) Providers() []string                           { return s.providers }
func (s *source) FinalUntil(context.Context) (time.Time, error) { return s.until, nil }
func (s *source) Began() time.Time                              { return s.began }

func (s *source) Report(_ context.Context, m report.Month, provider string) (report.Report, error) {
	s.asked = append(s.asked, Name{m, provider}.String())
	if s.failures > 0 {
		s.failures--
		return report.Report{}, errors.New("disk is gone")
	}
	return report.Report{Month: m, Written: time.Now(), FinalUntil: s.until, Provider: report.Provider{ID: provider}}, nil
}

// runs runs a keeper for a while of the bubble's time.
func runs(t *testing.T, a *Archive, s *source, d time.Duration) {
	t.Helper()
	k, err := NewKeeper(Options{a, s, slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := k.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func sleepUntil(at time.Time) { time.Sleep(time.Until(at)) }

// A report is written once, when its month is over and judged for good, and not again
// after a restart.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := opened(t)
		s := &source{providers: []string{"", "fjord"}, began: october.From().Add(-time.Hour), until: october.To().Add(-time.Hour)}
		sleepUntil(october.To().Add(-2 * time.Hour))
		s.until = time.Now().Add(-time.Hour)
		runs(t, a, s, 2*time.Hour-time.Second) // September is not final, as far as is known
		if got, _ := a.List(); len(got) != 2 || got[0].Month.Month != time.September {
			t.Errorf("got %v before the month was over, want September's", got)
		}
		s.asked = nil
		runs(t, a, s, time.Hour) // October is over, and not judged yet
		if len(s.asked) != 0 {
			t.Errorf("asked for %v before verdicts are final", s.asked)
		}
		s.until, s.failures = october.To(), 1
		runs(t, a, s, 5*time.Minute) // one of two fails
		if !slices.Equal(s.asked, []string{"2026-10", "2026-10-fjord"}) {
			t.Errorf("asked for %v", s.asked)
		}
		runs(t, a, s, 24*time.Hour) // after a restart
		if !slices.Equal(s.asked, []string{"2026-10", "2026-10-fjord", "2026-10"}) {
			t.Errorf("asked for %v, want the one that failed once more and nothing twice", s.asked)
		}
		if got, _ := a.List(); len(got) != 4 {
			t.Errorf("got %v, want two months of two reports", got)
		}
		b, err := a.Read(Name{Month: october}, report.HTML)
		if err != nil || !strings.Contains(string(b), "October 2026") {
			t.Errorf("got %d bytes, %v", len(b), err)
		}
	})
}

// A month in which nothing was there to measure has no report, and whoever wants none
// gets none.
func TestScheduleOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := opened(t)
		sleepUntil(october.To().Add(time.Hour))
		runs(t, a, &source{providers: []string{""}, began: october.To(), until: time.Now()}, time.Hour)
		runs(t, a, &source{began: october.From(), until: time.Now()}, time.Hour)
		runs(t, a, &source{providers: []string{""}, began: october.From()}, time.Hour) // nothing was ever judged
		if got, err := a.List(); err != nil || len(got) != 0 {
			t.Errorf("got %v, %v, want no report", got, err)
		}
	})
}
