package register

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// windows opens a register of windows over a store.
func windows(t *testing.T, s Store, change ...func(*WindowOptions)) *Windows {
	t.Helper()
	o := WindowOptions{
		Store: s, Logger: slog.New(slog.DiscardHandler),
		Services: func() []string { return []string{"imap", "smtp"} }, Regions: func() []string { return []string{"eu-north", "oceania"} },
	}
	for _, f := range change {
		f(&o)
	}
	w, err := OpenWindows(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// in is that long from now, in whole seconds.
func in(d time.Duration) time.Time { return time.Now().UTC().Truncate(time.Second).Add(d) }

// move is a maintenance from one time to another, from now.
func move(from, to time.Duration) Window {
	return Window{Kind: Maintenance, Services: []string{"imap"}, From: in(from), To: in(to), Title: "Database move", By: "kari"}
}

// attack is a watch.
func attack(from, to time.Duration) Window {
	return Window{Kind: Watch, Services: []string{"imap", "smtp"}, From: in(from), To: in(to), Title: "Attack announced", By: "kari", Every: 10 * time.Second}
}

func add(t *testing.T, w *Windows, n Window) Window {
	t.Helper()
	out, err := w.Add(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func ids(list []Window) string {
	var out []string
	for _, w := range list {
		out = append(out, w.ID)
	}
	return strings.Join(out, " ")
}

// TestWindowsAreKept: what is announced is there after the next start, whole.
func TestWindowsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		w := windows(t, m)
		one := move(time.Hour, 3*time.Hour)
		one.Regions, one.Title = []string{"oceania"}, "  Database move "
		first, second, third := add(t, w, one), add(t, w, attack(2*time.Hour, 26*time.Hour)), add(t, w, move(-time.Minute, time.Hour))
		want := Window{
			ID: "m-2000-01-01-1", Kind: Maintenance, Services: []string{"imap"}, Regions: []string{"oceania"},
			From: in(time.Hour), To: in(3 * time.Hour), Title: "Database move", By: "kari", Made: in(0),
		}
		if diff := cmp.Diff(want, first); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if second.ID != "w-2000-01-01-1" || third.ID != "m-1999-12-31-1" {
			t.Errorf("got %s and %s", second.ID, third.ID)
		}
		all := w.Windows("", in(-time.Hour), in(48*time.Hour))
		if ids(all) != "m-1999-12-31-1 m-2000-01-01-1 w-2000-01-01-1" {
			t.Errorf("got %s", ids(all))
		}
		if diff := cmp.Diff(all, windows(t, m).Windows("", in(-time.Hour), in(48*time.Hour))); diff != "" {
			t.Errorf("after the next start (-before +after):\n%s", diff)
		}
		all[0].Services[0] = "changed"
		if w.Windows("", in(-time.Hour), in(48*time.Hour))[0].Services[0] != "imap" {
			t.Error("who reads a window can change it")
		}
	})
}

func TestWindowsAreValidated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(36 * time.Hour)
		w := windows(t, newMemory())
		for want, spoil := range map[string]func(*Window){
			`kind: got "repair", expected maintenance or watch`:                                              func(w *Window) { w.Kind = "repair" },
			"service: got 0, expected at least one and at most 1000":                                         func(w *Window) { w.Services = nil },
			`service: got "pop", expected the id of a service: imap, smtp`:                                   func(w *Window) { w.Services = []string{"imap", "pop"} },
			`service: got "imap" twice, expected it once`:                                                    func(w *Window) { w.Services = []string{"imap", "imap"} },
			`region: got "asia", expected the id of a region: eu-north, oceania`:                             func(w *Window) { w.Regions = []string{"asia"} },
			`region: got ["oceania"] for a watch, expected none: all regions look more closely`:              func(w *Window) { w.Kind, w.Regions = Watch, []string{"oceania"} },
			"to: got 2000-01-02T12:30:00Z, expected a time after from, 2000-01-02T13:00:00Z":                 func(w *Window) { w.To = in(30 * time.Minute) },
			"to: got 2000-01-02T13:00:00Z, expected a time after from, 2000-01-02T13:00:00Z":                 func(w *Window) { w.To = w.From.Add(time.Millisecond) },
			"to: got nothing, expected a time after from, 2000-01-02T13:00:00Z\nto: got nothing, expected a": func(w *Window) { w.To = time.Time{} },
			"to: got 2000-02-02T13:00:01Z, 31 days after from, expected at most 31":                          func(w *Window) { w.To = w.From.Add(31*24*time.Hour + time.Second) },
			"to: got 2000-01-02T12:00:00Z, expected a time that is to come, after 2000-01-02T12:00:00Z":      func(w *Window) { w.From, w.To = in(-time.Hour), in(0) },
			`title: got "", expected 1 to 200 printable characters`:                                          func(w *Window) { w.Title = " \t " },
			`title: got "a\x1b[31m", expected 1 to 200 printable characters`:                                 func(w *Window) { w.Title = "a\x1b[31m" },
			`title: got "` + strings.Repeat("é", 201) + `", expected 1 to 200 printable characters`:          func(w *Window) { w.Title = strings.Repeat("é", 201) },
			`by: got "", expected 1 to 100 printable characters`:                                             func(w *Window) { w.By = "" },
			"every: got 10s, expected 5s to 24h0m0s, for a watch only":                                       func(w *Window) { w.Every = 10 * time.Second },
			"every: got 4s, expected 5s to 24h0m0s, for a watch only":                                        func(w *Window) { w.Kind, w.Every = Watch, 4*time.Second },
		} {
			n := move(time.Hour, 2*time.Hour)
			spoil(&n)
			if _, err := w.Add(t.Context(), n); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		}
		if all := w.Windows("", time.Time{}, in(1000*time.Hour)); len(all) != 0 {
			t.Errorf("%s are there, although none is right", ids(all))
		}
		long, title := move(0, 31*24*time.Hour), move(-40*time.Minute, time.Second)
		title.Title = strings.Repeat("é", 200)
		add(t, w, long)
		add(t, w, title)
		add(t, w, title) // they may overlap
		if n := len(w.Active(in(0))); n != 3 {
			t.Errorf("%d are active, want three", n)
		}
	})
}

// TestCancel: what has begun ends now, what has not is withdrawn, and both stay on
// record.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		w := windows(t, m)
		begun, coming := add(t, w, move(0, 4*time.Hour)), add(t, w, attack(time.Hour, 2*time.Hour))
		time.Sleep(90 * time.Second)
		cut, err := w.Cancel(t.Context(), Maintenance, begun.ID, "ola")
		want := begun
		want.To, want.Cancelled, want.CancelledBy, want.Meant = in(0), in(0), "ola", begun.To
		if diff := cmp.Diff(want, cut); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		withdrawn, err := w.Cancel(t.Context(), Watch, coming.ID, "ola")
		want = coming
		want.Cancelled, want.CancelledBy = in(0), "ola"
		if diff := cmp.Diff(want, withdrawn); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		for _, x := range []*Windows{w, windows(t, m)} {
			if got := ids(x.Windows("", in(-time.Hour), in(3*time.Hour))); got != begun.ID+" "+coming.ID {
				t.Errorf("on record are %q", got)
			}
			if got := x.Active(in(0)); len(got) != 0 {
				t.Errorf("%s are active", ids(got))
			}
			if got := x.Active(in(90 * time.Minute)); len(got) != 0 {
				t.Errorf("%s will be active", ids(got))
			}
			if got := x.NextEdge(in(0)); !got.IsZero() {
				t.Errorf("an edge at %s", got)
			}
			if got := x.Maintenance("imap", "oceania", in(-time.Hour), in(3*time.Hour)); len(got) != 1 || !got[0].To.Equal(cut.To) {
				t.Errorf("maintenance is %+v", got)
			}
		}
		for id, kind := range map[string]Kind{begun.ID: Maintenance, coming.ID: Watch} {
			if _, err := w.Cancel(t.Context(), kind, id, "ola"); !errors.Is(err, ErrOver) || !strings.Contains(err.Error(), "ola cancelled it at 2000-01-01T00:01:30Z") {
				t.Errorf("%s again: %v", id, err)
			}
		}
		over := add(t, w, move(0, time.Minute))
		time.Sleep(time.Minute)
		for want, try := range map[string]func() (Window, error){
			`watch "` + over.ID + `": there is no such window`:      func() (Window, error) { return w.Cancel(t.Context(), Watch, over.ID, "ola") },
			`maintenance "m-1": there is no such window`:            func() (Window, error) { return w.Cancel(t.Context(), Maintenance, "m-1", "ola") },
			"window " + over.ID + ": it ended at 2000-01-01T00:02:": func() (Window, error) { return w.Cancel(t.Context(), Maintenance, over.ID, "ola") },
			`by: got "", expected 1 to 100 printable characters`:    func() (Window, error) { return w.Cancel(t.Context(), Maintenance, over.ID, " ") },
		} {
			if _, err := try(); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	})
}

// TestWithdrawnAtItsFirstSecond was never in force.
func TestWithdrawnAtItsFirstSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := windows(t, newMemory())
		n := add(t, w, move(0, time.Hour))
		if got, err := w.Cancel(t.Context(), Maintenance, n.ID, "ola"); err != nil || !got.Withdrawn() || got.State(in(0)) != "cancelled" || !got.To.Equal(n.To) {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := move(time.Minute, 2*time.Minute)
		for d, want := range map[time.Duration]string{
			59 * time.Second: "coming", time.Minute: "active", 119 * time.Second: "active", 2 * time.Minute: "over",
		} {
			if got := n.State(in(d)); got != want || n.Holds(in(d)) != (want == "active") {
				t.Errorf("after %s: got %s, holds %t, want %s", d, got, n.Holds(in(d)), want)
			}
		}
	})
}

// What is announced when it has begun already is out of the objective from then on; what
// it was announced for stays on record.
func TestLateAnnouncement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := windows(t, newMemory())
		time.Sleep(24 * time.Hour)
		late, coming := add(t, w, move(-time.Hour, time.Hour)), add(t, w, move(2*time.Hour, 3*time.Hour))
		if !late.From.Equal(in(-time.Hour)) || !late.Counts().Equal(in(0)) || !coming.Counts().Equal(coming.From) {
			t.Errorf("from %s counts from %s, from %s counts from %s", late.From, late.Counts(), coming.From, coming.Counts())
		}
		for _, c := range []struct {
			from, to time.Duration
			want     []time.Time
		}{
			{-2 * time.Hour, 0, nil},
			{-2 * time.Hour, time.Second, []time.Time{in(0)}},
			{0, 4 * time.Hour, []time.Time{in(0), in(2 * time.Hour)}},
		} {
			var got []time.Time
			for _, n := range w.Maintenance("imap", "oceania", in(c.from), in(c.to)) {
				got = append(got, n.From)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("from %s to %s (-want +got):\n%s", c.from, c.to, diff)
			}
		}
		if got := w.Windows(Maintenance, in(-2*time.Hour), in(-time.Minute)); len(got) != 1 || !got[0].From.Equal(late.From) {
			t.Errorf("on record: %+v", got)
		}
		// One that is taken back in the second of its announcement has taken nothing out.
		if _, err := w.Cancel(t.Context(), Maintenance, late.ID, "kari"); err != nil {
			t.Fatal(err)
		}
		if got := w.Maintenance("imap", "oceania", in(-2*time.Hour), in(time.Hour)); len(got) != 0 {
			t.Errorf("cancelled at once: %+v", got)
		}
	})
}

func TestQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := windows(t, newMemory())
		south := move(time.Hour, 2*time.Hour)
		south.Regions = []string{"oceania"}
		south, all, watch := add(t, w, south), add(t, w, move(90*time.Minute, 3*time.Hour)), add(t, w, attack(time.Minute, 4*time.Hour))
		for _, c := range []struct {
			service, region string
			from, to        time.Duration
			want            []Window
		}{
			{"imap", "oceania", 0, 5 * time.Hour, []Window{south, all}},
			{"imap", "eu-north", 0, 5 * time.Hour, []Window{all}},
			{"imap", "", 0, 5 * time.Hour, []Window{south, all}},
			{"smtp", "oceania", 0, 5 * time.Hour, nil},
			{"imap", "oceania", 0, time.Hour, nil},
			{"imap", "oceania", 2 * time.Hour, 5 * time.Hour, []Window{all}},
			{"imap", "oceania", 3 * time.Hour, 5 * time.Hour, nil},
		} {
			if got := w.Maintenance(c.service, c.region, in(c.from), in(c.to)); ids(got) != ids(c.want) {
				t.Errorf("%s in %s from %s to %s: got %s, want %s", c.service, c.region, c.from, c.to, ids(got), ids(c.want))
			}
		}
		if got := w.Windows(Watch, in(0), in(time.Hour)); ids(got) != watch.ID {
			t.Errorf("watches: %s", ids(got))
		}
		if got := w.Active(in(100 * time.Minute)); len(got) != 3 {
			t.Errorf("active: %s", ids(got))
		}
		var edges []time.Duration
		for at := in(0); ; {
			if at = w.NextEdge(at); at.IsZero() {
				break
			}
			edges = append(edges, at.Sub(in(0)))
		}
		if want := []time.Duration{time.Minute, time.Hour, 90 * time.Minute, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour}; !slices.Equal(edges, want) {
			t.Errorf("edges: got %v, want %v", edges, want)
		}
	})
}

func TestChangesAreAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := windows(t, newMemory())
		told := func(ch <-chan struct{}) bool {
			select {
			case <-ch:
				return true
			default:
				return false
			}
		}
		before := w.Changed()
		if told(before) {
			t.Error("told of nothing")
		}
		n := add(t, w, move(0, time.Hour))
		time.Sleep(time.Second)
		between := w.Changed()
		if !told(before) || told(between) {
			t.Error("not told of a window, or for ever")
		}
		if _, err := w.Cancel(t.Context(), Maintenance, n.ID, "ola"); err != nil || !told(between) {
			t.Errorf("not told of its end, %v", err)
		}
	})
}

// TestWindowsAreForgotten after as long as they are to be kept, and not before.
func TestWindowsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		keep := func(o *WindowOptions) { o.Keep = 48 * time.Hour }
		w := windows(t, m, keep)
		add(t, w, move(0, time.Hour))
		time.Sleep(49*time.Hour - time.Second)
		if windows(t, m, keep); len(m.values) != 1 {
			t.Error("it is forgotten before its time")
		}
		time.Sleep(time.Second)
		second := add(t, w, move(0, time.Hour))
		if got := w.Windows("", time.Time{}, in(time.Hour)); ids(got) != second.ID || len(m.values) != 1 {
			t.Errorf("got %s and %d values", ids(got), len(m.values))
		}
		time.Sleep(100 * time.Hour)
		if windows(t, m, keep); len(m.values) != 0 {
			t.Errorf("%d values after the next start", len(m.values))
		}
	})
}

// TestTwoRegisters write to one store: neither takes the other's id, and a window is
// cancelled once.
func TestTwoRegisters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		a, b := windows(t, m), windows(t, m)
		first, second, third := add(t, a, move(0, time.Hour)), add(t, b, move(0, 2*time.Hour)), add(t, a, move(0, 3*time.Hour))
		if first.ID != "m-2000-01-01-1" || second.ID != "m-2000-01-01-2" || third.ID != "m-2000-01-01-3" || len(m.values) != 3 {
			t.Errorf("got %s, %s and %s", first.ID, second.ID, third.ID)
		}
		time.Sleep(time.Minute)
		if _, err := b.Cancel(t.Context(), Maintenance, first.ID, "ola"); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Cancel(t.Context(), Maintenance, first.ID, "kari"); !errors.Is(err, ErrOver) || !strings.Contains(err.Error(), "ola cancelled it") {
			t.Errorf("got %v, want that ola was faster", err)
		}
		if len(a.Active(in(0))) != 2 {
			t.Errorf("after that %s are active", ids(a.Active(in(0))))
		}
		delete(m.values, windowPrefix+second.ID)
		delete(m.at, windowPrefix+second.ID)
		m.at[windowPrefix+second.ID] = 99 // whatever is said to be there is at another revision
		if _, err := b.Cancel(t.Context(), Maintenance, second.ID, "kari"); !errors.Is(err, ErrNoWindow) {
			t.Errorf("got %v, want that it is gone", err)
		}
	})
}

// TestFullDisk: what could not be written is not there, and nobody is told of it.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		w := windows(t, m)
		n := add(t, w, move(0, time.Hour))
		time.Sleep(time.Second)
		changed := w.Changed()
		m.puts = 0
		if _, err := w.Add(t.Context(), attack(0, time.Hour)); !errors.Is(err, errDisk) || !strings.Contains(err.Error(), "window.w-2000-01-01-1") {
			t.Errorf("got %v, want a full disk", err)
		}
		if _, err := w.Cancel(t.Context(), Maintenance, n.ID, "ola"); !errors.Is(err, errDisk) {
			t.Errorf("got %v, want a full disk", err)
		}
		select {
		case <-changed:
			t.Error("told of what is not on disk")
		default:
		}
		if got := w.Active(in(0)); ids(got) != n.ID {
			t.Errorf("%s are active", ids(got))
		}
	})
}

// TestEveryChangeIsLogged with who made it.
func TestEveryChangeIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		w := windows(t, newMemory(), func(o *WindowOptions) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		n := add(t, w, move(0, time.Hour))
		if _, err := w.Cancel(t.Context(), Maintenance, n.ID, "ola"); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "by=kari") || !strings.Contains(lines[1], "by=ola") || !strings.Contains(lines[1], "window="+n.ID) {
			t.Errorf("got %q", lines)
		}
	})
}

// opened opens the register over one value.
func opened(key string, value []byte) (*Windows, error) {
	m := newMemory()
	m.values[key], m.at[key] = value, 1
	none := func() []string { return nil }
	return OpenWindows(context.Background(), WindowOptions{Store: m, Services: none, Regions: none, Logger: slog.New(slog.DiscardHandler)})
}

// TestDamagedWindow: what cannot be read is named, and nothing is left out in silence.
func TestDamagedWindow(t *testing.T) {
	good := Window{
		ID: "m-2026-11-24-1", Kind: Maintenance, Services: []string{"imap"}, From: ten, To: ten.Add(time.Hour), Title: "Database move", By: "kari", Made: ten,
	}
	if w, err := opened("window.m-2026-11-24-1", marshalled(t, good)); err != nil || len(w.all()) != 1 {
		t.Errorf("a whole one: %v", err)
	}
	other := good
	other.ID = "m-2026-11-24-2"
	none := good
	none.Services = nil
	for key, value := range map[string][]byte{
		"window.m-2026-11-24-1": []byte("{"), "window.x": []byte("[]"), "window.": []byte("null"), "other": marshalled(t, good),
		"window.m-2026-11-24-3": marshalled(t, other), "window.m-2026-11-24-1\x00": marshalled(t, good),
	} {
		if _, err := opened(key, value); err == nil || !strings.HasPrefix(err.Error(), "open windows: read "+key+": got a ") {
			t.Errorf("%q: got %v", key, err)
		}
	}
	if _, err := opened("window.m-2026-11-24-1", marshalled(t, none)); err == nil || !strings.Contains(err.Error(), "service: got 0") {
		t.Errorf("got %v", err)
	}
	if _, err := OpenWindows(t.Context(), WindowOptions{}); err == nil {
		t.Error("opened without a store")
	}
}

func marshalled(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzStoredWindow: whatever stands in the store is a window that can be used, or an
// error that names its key.
func FuzzStoredWindow(f *testing.F) {
	for _, w := range []Window{
		{ID: "m-1", Kind: Maintenance, Services: []string{"imap"}, From: ten, To: ten.Add(time.Hour), Title: "a", By: "b", Made: ten},
		{ID: "m-1", Kind: Watch, Services: []string{"imap"}, From: ten, To: ten.Add(time.Hour), Title: "a", By: "b", Cancelled: ten, Every: time.Minute},
	} {
		f.Add(marshalled(f, w))
	}
	f.Add([]byte(`{"id":"m-1","from":"9999-99-99"}`))
	f.Add([]byte(`{"every_ns":1e99}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		w, err := opened("window.m-1", value)
		if err != nil {
			if !strings.Contains(err.Error(), "window.m-1") {
				t.Errorf("%v names no key", err)
			}
			return
		}
		k := w.all()[0]
		if k.whole() != nil || k.ID != "m-1" {
			t.Errorf("took %+v", k.Window)
		}
		again, err := opened("window.m-1", marshalled(t, k.Window))
		if err != nil || !cmp.Equal(again.all()[0].Window, k.Window) {
			t.Errorf("got %+v again, %v, want %+v", again, err, k.Window)
		}
	})
}

// TestCrashAtAnyPut: the store breaks after every number of changes. What was
// confirmed is there after the next start, and nothing else.
func TestCrashAtAnyPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for broken := range 6 {
			m := newMemory()
			m.puts = broken
			w := windows(t, m)
			confirmed := map[string]Window{}
			note := func(n Window, err error) {
				if err == nil {
					confirmed[n.ID] = n
				}
			}
			for i := range 3 {
				n, err := w.Add(t.Context(), move(time.Duration(i)*time.Hour, 5*time.Hour))
				note(n, err)
				if err == nil {
					time.Sleep(time.Second)
					note(w.Cancel(t.Context(), Maintenance, n.ID, "ola"))
				}
			}
			m.puts = -1
			got := map[string]Window{}
			for _, n := range windows(t, m).Windows("", time.Time{}, in(100*time.Hour)) {
				got[n.ID] = n
			}
			if diff := cmp.Diff(confirmed, got); diff != "" {
				t.Errorf("after %d changes (-confirmed +kept):\n%s", broken, diff)
			}
			if broken >= 2 && len(slices.Collect(maps.Keys(got))) == 0 {
				t.Error(fmt.Sprint("nothing was confirmed of ", broken))
			}
		}
	})
}
