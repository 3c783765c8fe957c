package mirror

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/api/write"

	"varde/checks"
)

func encode(p *write.Point) string {
	return strings.TrimSpace(write.PointToLineProtocol(p, time.Nanosecond))
}

func wantAll(t *testing.T, s *server, j *journal, verdicts int) {
	t.Helper()
	want := j.points()
	if len(want) != 3*len(j.entries) {
		t.Fatalf("%d points of %d observations have names of their own", len(want), 3*len(j.entries))
	}
	if got := s.of(observations); got != len(want) {
		t.Errorf("server has %d observations, want %d", got, len(want))
	}
	if got := s.of("varde_verdict"); got != verdicts {
		t.Errorf("server has %d verdicts, want %d", got, verdicts)
	}
	for name, fields := range want {
		if s.points[name] != fields {
			t.Fatalf("%s has fields %q, want %q", name, s.points[name], fields)
		}
	}
}

// TestAway: a server that is away for hours gets everything, and a coordinator that
// died between the write and its place doubles nothing.
func TestAway(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, s, v := &journal{}, &server{points: map[string]string{}}, tell(7)
		j.grow(100)
		m, stop := start(t, dir, s, j, v)
		time.Sleep(5 * time.Second)
		wantAll(t, s, j, 7)
		if st := m.state(); !st.Up || !st.Tried || st.Behind != 0 || st.Written != 307 || len(st.Notices(time.Now())) > 0 {
			t.Errorf("state %+v, want all written", st)
		}
		before, err := os.ReadFile(placeFile(dir, "m"))
		if err != nil {
			t.Fatal(err)
		}
		s.set(func([]string) (*http.Response, error) { return nil, errors.New("connection refused") })
		j.grow(6000) // more than one batch
		time.Sleep(3 * time.Hour)
		st := m.state()
		if st.Up || st.Refused || st.Behind != 6000 || !strings.Contains(st.Words, "connection refused") {
			t.Errorf("state while away %+v", st)
		}
		if n := st.Notices(time.Now()); len(n) != 1 || n[0].Title != "Mirror m is behind" || !strings.Contains(n[0].Detail, "6000 entries") {
			t.Errorf("notices while away %+v", n)
		}
		if s.writes > 3*60+20 {
			t.Errorf("%d attempts in three hours, want about one a minute", s.writes)
		}
		s.set(nil)
		time.Sleep(5 * time.Minute)
		stop()
		wantAll(t, s, j, 7)

		if err := os.WriteFile(placeFile(dir, "m"), before, 0o600); err != nil {
			t.Fatal(err)
		}
		writes := s.writes
		_, stop = start(t, dir, s, j, v)
		time.Sleep(time.Minute)
		stop()
		if s.writes == writes {
			t.Error("nothing was sent again from an older place")
		}
		wantAll(t, s, j, 7)
	})
}

// TestMissed: what the journal held no more is counted, and what was gone before a
// mirror began is no loss.
func TestMissed(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, s := &journal{}, &server{points: map[string]string{}}
		j.grow(100)
		j.gone = 40
		m, stop := start(t, dir, s, j, told(nil))
		time.Sleep(5 * time.Second)
		if st := m.state(); st.Missed != 0 || st.Written != 180 {
			t.Errorf("a new mirror: %+v, want 180 points and no loss", st)
		}
		stop()
		j.grow(100)
		j.gone = 130
		m, stop = start(t, dir, s, j, told(nil))
		time.Sleep(5 * time.Second)
		if st := m.state(); st.Missed != 30 || st.Behind != 0 || s.of(observations) != 180+210 {
			t.Errorf("after a gap: %+v with %d observations, want 30 missed, 390", st, s.of(observations))
		}
		j.grow(10)
		j.mu.Lock()
		j.gone = 210 // all of it
		j.mu.Unlock()
		time.Sleep(5 * time.Second)
		if st := m.state(); st.Missed != 40 || st.Behind != 0 || len(st.Notices(time.Now())) != 1 {
			t.Errorf("after all was gone: %+v, want 40 missed and a notice", st)
		}
		stop()
	})
}

// TestJournalLost: a journal or a record of verdicts that ends before the place is read
// from its beginning.
func TestJournalLost(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &server{points: map[string]string{}}
		long, short := &journal{}, &journal{}
		long.grow(100)
		short.grow(20)
		_, stop := start(t, dir, s, long, tell(9))
		time.Sleep(5 * time.Second)
		stop()
		clear(s.points)
		m, stop := start(t, dir, s, short, tell(4))
		time.Sleep(5 * time.Second)
		stop()
		if st := m.state(); s.of(observations) != 60 || s.of(verdicts) != 4 || st.Missed != 0 {
			t.Errorf("%d observations, %d verdicts, %+v, want the 60 and 4 of the new ones and no loss", s.of(observations), s.of(verdicts), st)
		}
	})
}

// TestRefused: what a server refuses waits, the notice has its words, and the other
// stream goes on.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, s := &journal{}, &server{points: map[string]string{}}
		j.grow(10)
		s.set(func(lines []string) (*http.Response, error) {
			if strings.HasPrefix(lines[0], observations) {
				return reply(http.StatusUnauthorized, "authorization\x1b[31m failed\nfor user nobody"), nil
			}
			return nil, nil
		})
		m, stop := start(t, dir, s, j, tell(3))
		time.Sleep(10 * time.Minute)
		st := m.state()
		n := st.Notices(time.Now())
		if !st.Refused || st.Up || len(n) != 1 || n[0].Title != "Mirror m is refused" || !strings.Contains(n[0].Detail, "401: authorization [31m failed for user nobody (10 entries") {
			t.Errorf("state %+v, notices %q", st, n)
		}
		if s.of(observations) != 0 || s.of(verdicts) != 3 || s.writes > 13 {
			t.Errorf("%d observations, %d verdicts, %d writes, want 0, 3 and about one a minute", s.of(observations), s.of(verdicts), s.writes)
		}
		s.set(nil)
		time.Sleep(2 * time.Minute)
		stop()
		wantAll(t, s, j, 3)
		if st := m.state(); !st.Up || st.Refused || st.Words != "" {
			t.Errorf("state after it was mended %+v", st)
		}
	})
}

// TestDropped: points that a server says it dropped are counted for ever, the others
// are not sent again.
func TestDropped(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, s := &journal{}, &server{points: map[string]string{}}
		j.grow(10)
		s.set(func(lines []string) (*http.Response, error) {
			s.take(lines[4:])
			return reply(http.StatusUnprocessableEntity, `failure writing points: partial write: field type conflict: "up" is float dropped=4`), nil
		})
		m, stop := start(t, dir, s, j, told(nil))
		time.Sleep(time.Minute)
		stop()
		if st := m.state(); st.Dropped != 4 || st.Written != 26 || s.writes != 1 || !st.Up {
			t.Errorf("%+v after %d writes, want 4 dropped, 26 written in one", st, s.writes)
		}
		m, stop = start(t, dir, s, j, told(nil))
		time.Sleep(time.Minute)
		stop()
		n := m.state().Notices(time.Now())
		if len(n) != 1 || !strings.Contains(n[0].Detail, "4 were dropped by the server in all") || !strings.Contains(n[0].Detail, "field type conflict") {
			t.Errorf("notices after a restart %q", n)
		}
	})
}

// TestMirrors: targets come and go while it runs, and one under a known id goes on
// from its place.
func TestMirrors(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		j.grow(10)
		g := New(options(t, dir, j, told(nil)))
		bad := func(string) (string, error) { return "", errors.New("token: no such file") }
		g.options.Secret = bad // nothing reaches a network
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = g.Run(ctx) }()
		a, b := Target{ID: "a", URL: "http://a", TokenFile: "x"}, Target{ID: "b", URL: "http://b", TokenFile: "x"}
		g.Set([]Target{b, a})
		time.Sleep(2 * time.Minute)
		states := g.States()
		if len(states) != 2 || states[0].ID != "a" || states[0].Behind != 10 || states[0].Words != "token: no such file" {
			t.Errorf("states %+v", states)
		}
		since := states[1].Since
		a.URL = "http://a2"
		g.Set([]Target{a, b})
		synctest.Wait()
		if states = g.States(); len(states) != 2 || states[0].URL != "http://a2" || states[1].Since != since {
			t.Errorf("states after a change of one %+v", states)
		}
		g.Set(nil)
		synctest.Wait()
		if states = g.States(); len(states) != 0 {
			t.Errorf("states without targets %+v", states)
		}
	})
}

// TestPoint is the schema, as it stands in DESIGN.md.
func TestPoint(t *testing.T) {
	j := &journal{}
	j.grow(10)
	s := newScheme(func(string) string { return "imap" })
	got := encode(s.batch(&j.entries[9].Batches[1])[0])
	const want = `varde_observation,check=imap-login,family=ipv4,probe=p1,region=eu-north,service=imap,trigger=schedule class=4i,down=1i,elapsed_ms=10,failed_phase=2i,phase_resolve_ms=1,unknown=0i,up=0i 1793491210001000`
	if !strings.HasPrefix(got, want) || len(got) != len(want)+3 {
		t.Errorf("got  %s\nwant %s and three digits", got, want)
	}
	got = encode(s.verdict(tell(2)[1]))
	const told = `varde_verdict,check=imap-login,family=ipv4,region=eu-north,service=imap down=3i,state=4i,unknown=0i,up=0i,was=1i 1793491260000000002`
	if got != told {
		t.Errorf("got  %s\nwant %s", got, told)
	}
}

// TestNoImpossibleTimes: a time that no server takes becomes that of the arrival, and
// a phase that is not ours no column.
func TestNoImpossibleTimes(t *testing.T) {
	j := &journal{}
	j.grow(1)
	b := &j.entries[0].Batches[0]
	o := &b.Records[0].Observation
	o.Started, o.Phases = time.Unix(-1<<40, 0), []checks.PhaseTiming{{Name: "made up", Duration: 1}}
	got := encode(newScheme(func(string) string { return "" }).batch(b)[0])
	if !strings.Contains(got, " 1793491202000000") || strings.Contains(got, "made") {
		t.Errorf("got %s, want the time of arrival and no foreign column", got)
	}
}

// TestNames: what begins in one microsecond has names of its own.
func TestNames(t *testing.T) {
	names := map[time.Time]bool{}
	for n := range uint64(1000) {
		names[nameTime(begin().Add(time.Duration(n)), epochNumber("e")+n)] = true
	}
	if len(names) != 1000 {
		t.Errorf("%d names for 1000 observations, want one each", len(names))
	}
}

// TestCodes: every class and phase has a code that no other has.
func TestCodes(t *testing.T) {
	c, p := codesOf(classes()), codesOf(phases())
	if len(c) != len(classes())+1 || len(p) != len(phases())+1 {
		t.Error("a class or a phase stands twice")
	}
	if c.of("new") != -1 || c.of("") != 0 || c.of(checks.OwnError) != 27 || p.of(checks.Logout) != 14 {
		t.Errorf("codes moved: %v %v", maps.Collect(maps.All(c)), p)
	}
}
