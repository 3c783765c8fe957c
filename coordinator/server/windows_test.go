package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks/checktest"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/ops"
	"varde/coordinator/internal/plan"
)

// running is a coordinator that runs until stop is called.
func running(t *testing.T, c config.Config) (s *Server, stop func()) {
	t.Helper()
	host := checktest.NewInternet().Host(netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("127.0.0.1"))
	s, err := New(Options{Config: c, Logger: slog.New(slog.DiscardHandler), NoSync: true, Listen: host.Listen})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	synctest.Wait()
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// planned is how often the newest plan asks the first check, and how many others are
// asked after a failure.
func planned(t *testing.T, s *Server) (time.Duration, int) {
	t.Helper()
	synctest.Wait()
	p, ok := s.plans.Current()
	if !ok {
		t.Fatal("there is no plan")
	}
	return p.Checks[0].Every, p.Checks[0].Others()
}

// in is so long after a time, as windows are kept.
func in(at time.Time, d time.Duration) time.Time { return at.UTC().Truncate(time.Second).Add(d) }

func announce(t *testing.T, s *Server, w Window) Window {
	t.Helper()
	w.Services, w.Title = append(w.Services, "imap"), "Attack announced"
	out, err := s.Announce(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// expectPlan waits until a time and compares what is planned then.
func expectPlan(t *testing.T, s *Server, at time.Time, every time.Duration, others int) {
	t.Helper()
	time.Sleep(time.Until(at))
	if e, o := planned(t, s); e != every || o != others {
		t.Errorf("at %s: asks every %s and %d others, want %s and %d", at.Format(time.TimeOnly), e, o, every, others)
	}
}

// TestPlanFollowsWatches to the second, from the configuration in force, across a
// restart, and reverts by itself.
func TestPlanFollowsWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := configured(t, small)
		c.Data = t.TempDir()
		s, stop := running(t, c)
		from := time.Now().UTC().Add(10*time.Minute + 17*time.Second).Truncate(time.Second)
		to := from.Add(time.Hour)
		announce(t, s, Window{Kind: Watch, From: from, To: to})
		announce(t, s, Window{Kind: Maintenance, From: from.Add(-time.Minute), To: to.Add(time.Minute)})
		expectPlan(t, s, from.Add(-time.Nanosecond), 30*time.Second, 3)
		first, _ := s.plans.Current()
		expectPlan(t, s, from, 10*time.Second, 5)
		// The history goes on with what is configured.
		if k := s.fleet.Load().Checks[0]; k.Every != 30*time.Second {
			t.Errorf("the history is told of every %s", k.Every)
		}
		// A configuration that comes meanwhile is watched too.
		next := configured(t, strings.ReplaceAll(small, "every: 30s", "every: 60s, confirm: 6"))
		if err := s.Reload(next); err != nil {
			t.Fatal(err)
		}
		expectPlan(t, s, from.Add(time.Minute), 20*time.Second, 6)
		stop()
		next.Data = c.Data
		s, stop = running(t, next)
		defer func() { stop() }()
		expectPlan(t, s, to.Add(-time.Nanosecond), 20*time.Second, 6)
		expectPlan(t, s, to, time.Minute, 6)
		if p, _ := s.plans.Current(); p.Number.Revision != first.Number.Revision+3 {
			t.Errorf("the plan was made %d times, want three: at the beginning, at the reload and at the end", p.Number.Revision-first.Number.Revision)
		}
	})
}

// TestPlanFollowsCancelledWatches at once.
func TestPlanFollowsCancelledWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := configured(t, small)
		c.Data = t.TempDir()
		s, stop := running(t, c)
		defer stop()
		w := announce(t, s, Window{Kind: Watch, From: time.Now(), To: time.Now().Add(time.Hour), Every: 15 * time.Second})
		expectPlan(t, s, time.Now(), 15*time.Second, 5)
		other := announce(t, s, Window{Kind: Watch, From: time.Now().Add(30 * time.Second), To: time.Now().Add(2 * time.Hour)})
		expectPlan(t, s, time.Now().Add(30*time.Second), 10*time.Second, 5)
		if _, err := (announced{s}).CancelWindow(t.Context(), Watch, other.ID, "kari"); err != nil {
			t.Fatal(err)
		}
		expectPlan(t, s, time.Now(), 15*time.Second, 5)
		if _, err := (announced{s}).CancelWindow(t.Context(), Watch, w.ID, ""); err != nil {
			t.Fatal(err)
		}
		expectPlan(t, s, time.Now(), 30*time.Second, 3)
	})
}

// TestWindowsAsListed: how a window stands, whose services it is about, and how a watch
// has its checks asked.
func TestWindowsAsListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := configured(t, strings.NewReplacer("name: IMAP, consent: true", "name: IMAP, provider: fjord", "every: 30s", "every: 4m").Replace(small))
		c.Data = t.TempDir()
		s, stop := running(t, c)
		defer stop()
		a, now := announced{s}, time.Now()
		watch := announce(t, s, Window{Kind: Watch, From: now.Add(time.Hour), To: now.Add(2 * time.Hour)})
		announce(t, s, Window{Kind: Maintenance, From: now, To: now.Add(time.Minute), By: "kari"})
		list, err := a.ListWindows(t.Context(), Watch, now)
		if err != nil || len(list) != 1 || list[0].State != "coming" || watch.By != "socket" {
			t.Fatalf("got %+v, %v", list, err)
		}
		if diff := cmp.Diff([]string{"fjord"}, list[0].Providers); diff != "" {
			t.Errorf("providers (-want +got):\n%s", diff)
		}
		want := []plan.Watched{{Check: "imap-a", Own: 4 * time.Minute, Every: 3 * time.Minute, Others: 5, Limit: "not more often without consent of the service"}}
		if diff := cmp.Diff(want, list[0].Checks); diff != "" {
			t.Errorf("checks (-want +got):\n%s", diff)
		}
		if list, err := a.ListWindows(t.Context(), Maintenance, now); err != nil || len(list) != 1 || list[0].State != "active" || list[0].Checks != nil {
			t.Errorf("got %+v, %v", list, err)
		}
		time.Sleep(2 * time.Hour)
		for since, want := range map[time.Time]int{now: 1, time.Now(): 0} {
			if list, err := a.ListWindows(t.Context(), Watch, since); err != nil || len(list) != want || want == 1 && (list[0].State != "over" || list[0].Checks != nil) {
				t.Errorf("since %s: got %+v, %v", since, list, err)
			}
		}
		if _, err := a.AddWindow(t.Context(), Window{Kind: Watch, Services: []string{"pop"}, From: now, To: time.Now().Add(time.Hour), Title: "x"}); err == nil || err.Error() != `service: got "pop", expected the id of a service: imap, new` {
			t.Errorf("got %v", err)
		}
	})
}

// TestPagesShowWindows: everybody sees that a service is under maintenance where and
// while it is, and operators see all that is announced.
func TestPagesShowWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := configured(t, strings.ReplaceAll(small, "regions: [{id: eu-north, name: Northern Europe}]", "regions: [{id: eu-north}, {id: oceania}]"))
		c.Data = t.TempDir()
		s, stop := running(t, c)
		defer stop()
		now := time.Now()
		announce(t, s, Window{Kind: Maintenance, Regions: []string{"oceania"}, From: now.Add(time.Minute), To: now.Add(2 * time.Minute)})
		announce(t, s, Window{Kind: Watch, From: now, To: now.Add(time.Hour)})
		want := []availability.Window{{From: in(now, time.Minute), To: in(now, 2*time.Minute), Regions: []string{"oceania"}}}
		if diff := cmp.Diff(want, s.maintenance("imap", now, now.Add(time.Hour))); diff != "" || s.maintenance("new", now, now.Add(time.Hour)) != nil {
			t.Errorf("what the numbers are told (-want +got):\n%s", diff)
		}
		maintained := func() (regions string) {
			page, err := s.publicPresent(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range page.Services {
				for _, r := range x.Readings {
					if r.Maintenance {
						regions += x.ID + " in " + r.Region
					}
				}
			}
			return regions
		}
		for _, c := range []struct {
			after time.Duration
			want  string
			ops   int
		}{{59 * time.Second, "", 2}, {60 * time.Second, "imap in oceania", 2}, {119 * time.Second, "imap in oceania", 2}, {2 * time.Minute, "", 1}} {
			time.Sleep(time.Until(now.Add(c.after)))
			if got := maintained(); got != c.want {
				t.Errorf("after %s: %q is under maintenance, want %q", c.after, got, c.want)
			}
			snapshot, err := present{s}.Now(t.Context())
			if err != nil || len(snapshot.Windows) != c.ops {
				t.Errorf("after %s: operators see %+v, %v", c.after, snapshot.Windows, err)
			}
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = "localhost:8081"
		w := httptest.NewRecorder()
		s.ops.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), "Attack announced") {
			t.Errorf("the overview does not show the watch: %d", w.Code)
		}
	})
}

// TestDamagedWindowStopsTheStart and is named with its bucket and key.
func TestDamagedWindowStopsTheStart(t *testing.T) {
	c := configured(t, small)
	s := opened(t, c)
	data := s.opts.Config.Data
	b, err := s.journal.Bucket(t.Context(), "windows")
	if err != nil {
		t.Fatal(err)
	}
	value, err := json.Marshal("not a window")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), "window.m-2026-11-24-1", value, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c.Data = data
	host := checktest.NewInternet().Host(netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("127.0.0.1"))
	_, err = New(Options{Config: c, Logger: slog.New(slog.DiscardHandler), NoSync: true, Listen: host.Listen})
	if err == nil || !strings.HasPrefix(err.Error(), "open windows: read window.m-2026-11-24-1: got a damaged value") {
		t.Errorf("got %v", err)
	}
}

// TestGraphsNameWindows: those that are over are told too, in the regions for which they
// were announced.
func TestGraphsNameWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := configured(t, strings.ReplaceAll(small, "regions: [{id: eu-north, name: Northern Europe}]", "regions: [{id: eu-north}, {id: oceania}]"))
		c.Data = t.TempDir()
		s, stop := running(t, c)
		defer stop()
		now := time.Now()
		announce(t, s, Window{Kind: Maintenance, Regions: []string{"oceania"}, From: now.Add(time.Minute), To: now.Add(2 * time.Minute)})
		announce(t, s, Window{Kind: Watch, From: now.Add(2 * time.Hour), To: now.Add(3 * time.Hour)})
		time.Sleep(30 * time.Minute)
		for region, want := range map[string]int{"": 1, "oceania": 1, "eu-north": 0} {
			h, err := past{s}.Check(t.Context(), ops.CheckQuery{Check: "imap-a", Region: region, Window: graph.Last(time.Hour, time.Minute, time.Now())})
			if err != nil || len(h.Windows) != want {
				t.Errorf("region %q: got %+v, %v, want %d", region, h.Windows, err, want)
			}
		}
	})
}
