package incident_test

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

var update = flag.Bool("update", false, "write the golden files anew")

// One incident from its first failure to its end and back, byte for byte.
func TestGolden(t *testing.T) {
	b := told(
		turn("09:00:42", "imap-login", "oceania", down, since("09:00:30")),
		turn("09:01", "imap-login", "oceania", down, since("09:00:40"), over(v6)),
		turn("09:02", "imap-login", "us-east", slow, since("09:00:10")),
		turn("09:03", "imap-login", "us-east", down, in(checks.TLS, checks.TLSTimeout)),
		turn("09:04", "web", "oceania", down),
		turn("09:10", "imap-login", "oceania", unknown),
		turn("09:11", "web", "oceania", up),
		turn("09:12", "imap-login", "us-east", up),
		turn("09:13", "imap-login", "oceania", up),
		turn("09:14", "imap-login", "oceania", up, over(v6)),
	)
	b.Advance(at("09:20"))
	b.Observe(turn("09:25", "imap-login", "oceania", down))
	got, err := json.MarshalIndent(only(t, b), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/incident.json"
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var back incident.Incident
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(only(t, b), back); diff != "" {
		t.Errorf("what is read is not what was written (-want +got)\n%s", diff)
	}
}

func TestOpens(t *testing.T) {
	b := told(turn("09:00:42", "imap-login", "oceania", down, since("09:00:30")))
	i := only(t, b)
	if i.Stage != incident.Investigating || i.Key.Group != incident.Reach || i.Key.Service != "imap" || i.ID != i.Key.ID() {
		t.Errorf("got %+v", i)
	}
	wantTime(t, "started", i.Started, "09:00:30")
	wantTime(t, "detected", i.Detected, "09:00:42")
	wantTime(t, "start of the key", i.Key.Start, "09:00")
	wantKinds(t, i, incident.Opened)
	if want := "IMAP (imap-login) in Oceania over IPv4 is down since 09:00:30 UTC: connect_timeout, 3 of 3 probes"; last(i).Words != want {
		t.Errorf("got %q, want %q", last(i).Words, want)
	}
	for _, to := range []verdict.State{up, unknown} {
		if got := told(turn("09:00", "web", "oceania", to)).Incidents(); len(got) != 0 {
			t.Errorf("%s opens %+v", to, got)
		}
	}
}

// One cause is one incident.
func TestOneCause(t *testing.T) {
	first := turn("09:00", "imap-login", "oceania", down)
	well := turn("09:10", "imap-login", "oceania", up) // closed at 09:13
	for _, tt := range []struct {
		name    string
		changes []verdict.Change
		want    int
	}{
		{"another region", []verdict.Change{turn("09:01", "imap-login", "us-east", down)}, 1},
		{"another family", []verdict.Change{turn("09:01", "imap-login", "oceania", down, over(v6))}, 1},
		{"the same service on another network", []verdict.Change{turn("09:01", "imap-hello", "oceania", down, on(there))}, 1},
		{"another service on the same network", []verdict.Change{turn("09:01", "web", "oceania", down)}, 1},
		{"another provider on the same network", []verdict.Change{turn("09:01", "post", "oceania", down)}, 2},
		{"another service on another network", []verdict.Change{turn("09:01", "web", "oceania", down, on(there))}, 2},
		{"another service on a network that joined", []verdict.Change{
			turn("09:01", "imap-login", "us-east", down, on(there)), turn("09:02", "web", "oceania", down, on(there)),
		}, 1},
		{"another service without a network", []verdict.Change{turn("09:01", "web", "oceania", down, on())}, 2},
		{"the same service with other trouble", []verdict.Change{turn("09:01", "imap-login", "us-east", down, in(checks.Auth, checks.AuthTimeout))}, 2},
		{"hours later, while it lasts", []verdict.Change{turn("14:00", "imap-login", "us-east", slow)}, 1},
		{"the same series with other trouble", []verdict.Change{turn("09:05", "imap-login", "oceania", slow, in(checks.Auth, ""))}, 1},

		{"its network 5 min after", []verdict.Change{well, turn("09:15:20", "web", "oceania", down, since("09:15"))}, 1},
		{"its network later than 5 min after", []verdict.Change{well, turn("09:15:20", "web", "oceania", down, since("09:15:01"))}, 2},
		{"its network, told later and begun before", []verdict.Change{well, turn("09:50", "web", "oceania", flaps, since("09:05"))}, 1},
		{"its service, before it is closed", []verdict.Change{well, turn("09:12:59", "imap-login", "us-east", down)}, 1},
		{"its service, 15 min after it was closed", []verdict.Change{well, turn("09:28", "imap-login", "us-east", down)}, 1},
		{"its service, later", []verdict.Change{well, turn("09:28:01", "imap-login", "us-east", down)}, 2},
		{"itself, 15 min after it was closed", []verdict.Change{well, turn("09:28", "imap-login", "oceania", down)}, 1},
		{"itself, later", []verdict.Change{well, turn("09:28:01", "imap-login", "oceania", down)}, 2},
		{"itself, with other trouble", []verdict.Change{well, turn("09:28", "imap-login", "oceania", down, in(checks.Auth, checks.AuthTimeout))}, 1},
		{"its service, with other trouble", []verdict.Change{well, turn("09:14", "imap-login", "us-east", down, in(checks.Auth, checks.AuthTimeout))}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := told(append([]verdict.Change{first}, tt.changes...)...).Incidents(); len(got) != tt.want {
				t.Errorf("got %d incidents, want %d: %+v", len(got), tt.want, got)
			}
		})
	}
}

// What begins earlier than what it joins draws the start back, and the id stays.
func TestStartIsTheFirstFailure(t *testing.T) {
	b := told(turn("09:00:42", "imap-login", "oceania", down, since("09:00:30")))
	id := only(t, b).ID
	b.Observe(turn("09:03", "imap-login", "us-east", slow, since("08:58")))
	i := only(t, b)
	wantTime(t, "started", i.Started, "08:58")
	if i.ID != id || i.Key.ID() != id {
		t.Errorf("got the id %s, want %s", i.ID, id)
	}
}

// Of several incidents of one cause that is chosen which is under way, then the oldest,
// then the first by id.
func TestChoice(t *testing.T) {
	two := []verdict.Change{
		turn("09:00", "imap-login", "oceania", down, on(there)), turn("09:01", "post", "oceania", down, on(here)),
	}
	both := turn("09:05", "web", "oceania", down, on(here, there))
	for _, tt := range []struct {
		name    string
		changes []verdict.Change
		want    string
	}{
		{"the oldest", nil, "imap"},
		{"that which is under way", []verdict.Change{turn("09:01:30", "imap-login", "oceania", up)}, "post"},
	} {
		w := world()
		w.Services[2].Provider = w.Services[0].Provider // networks join what is one provider's
		b := incident.New(w, incident.Policy{})
		for _, c := range append(append(two, tt.changes...), both) {
			b.Observe(c)
		}
		for _, i := range b.Incidents() {
			if has := len(i.Members) == 2; has != (i.Key.Service == tt.want) {
				t.Errorf("%s: got %d members in that of %s", tt.name, len(i.Members), i.Key.Service)
			}
		}
	}
}

func TestClosing(t *testing.T) {
	begin := []verdict.Change{turn("09:00", "imap-login", "oceania", down), turn("09:01", "imap-login", "us-east", down)}
	for _, tt := range []struct {
		name                string
		changes             []verdict.Change
		stage               incident.Stage
		recovered, resolved string
		kind                incident.StepKind
	}{
		{"one is well", []verdict.Change{turn("09:10", "imap-login", "oceania", up)}, incident.Investigating, "", "", incident.Shrunk},
		{"all are well", []verdict.Change{
			turn("09:10", "imap-login", "oceania", up), turn("09:20", "imap-login", "us-east", up),
		}, incident.Resolved, "09:20", "09:23", incident.Closed},
		{"not yet long enough", []verdict.Change{
			turn("09:10", "imap-login", "oceania", up), turn("09:57:01", "imap-login", "us-east", up),
		}, incident.Monitoring, "09:57:01", "", incident.Recovery},
		{"a relapse restarts it", []verdict.Change{
			turn("09:10", "imap-login", "oceania", up), turn("09:20", "imap-login", "us-east", up),
			turn("09:22:59", "imap-login", "us-east", slow), turn("09:23:30", "imap-login", "us-east", up),
		}, incident.Resolved, "09:23:30", "09:53:30", incident.Closed}, // four turns within an hour
		{"what is unknown is not well", []verdict.Change{
			turn("09:10", "imap-login", "oceania", unknown), turn("09:20", "imap-login", "us-east", up),
		}, incident.Investigating, "", "", incident.Shrunk},
		{"until it is known", []verdict.Change{
			turn("09:10", "imap-login", "oceania", unknown), turn("09:20", "imap-login", "us-east", up), turn("09:40", "imap-login", "oceania", up),
		}, incident.Resolved, "09:40", "09:43", incident.Closed},
		{"unknown while waiting", []verdict.Change{
			turn("09:10", "imap-login", "oceania", up), turn("09:20", "imap-login", "us-east", up), turn("09:22:59", "imap-login", "us-east", unknown),
		}, incident.Investigating, "", "", incident.Unmeasured},
		{"and well again: it ended before, and the wait begins anew", []verdict.Change{
			turn("09:10", "imap-login", "oceania", up), turn("09:20", "imap-login", "us-east", up),
			turn("09:22:59", "imap-login", "us-east", unknown), turn("09:30", "imap-login", "us-east", up),
		}, incident.Resolved, "09:20", "09:33", incident.Closed},
		{"three intervals of its slowest check", []verdict.Change{
			turn("09:02", "loop", "oceania", down), turn("09:03", "loop", "oceania", up),
			turn("09:10", "imap-login", "oceania", up), turn("09:15", "imap-login", "us-east", up),
		}, incident.Resolved, "09:15", "10:00", incident.Closed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := told(append(begin, tt.changes...)...)
			b.Advance(at("10:00"))
			i := only(t, b)
			if i.Stage != tt.stage || last(i).Kind != tt.kind {
				t.Errorf("got %s after %q, want %s after %s", i.Stage, kinds(i), tt.stage, tt.kind)
			}
			wantTime(t, "recovered", i.Recovered, tt.recovered)
			wantTime(t, "resolved", i.Resolved, tt.resolved)
		})
	}
}

// A member that is closed goes on being known: what opens again is not closed while it
// is unknown.
func TestUnknownWhileClosed(t *testing.T) {
	b := told(
		turn("09:00", "imap-login", "oceania", down), turn("09:01", "imap-login", "us-east", down),
		turn("09:10", "imap-login", "oceania", up), turn("09:10", "imap-login", "us-east", up),
		turn("09:14", "imap-login", "oceania", unknown),
	)
	wantKinds(t, only(t, b), incident.Opened, incident.Spread, incident.Shrunk, incident.Shrunk, incident.Recovery, incident.Closed)
	b.Observe(turn("09:20", "imap-login", "us-east", down))
	b.Observe(turn("09:21", "imap-login", "us-east", up))
	b.Advance(at("12:00"))
	if i := only(t, b); i.Stage != incident.Investigating {
		t.Errorf("got %s, want investigating: %+v", i.Stage, i.Members)
	}
}

func TestNext(t *testing.T) {
	b := told(turn("09:00", "imap-login", "oceania", down))
	if due, ok := b.Next(); ok {
		t.Errorf("got %s while it is down, want nothing", due)
	}
	b.Observe(turn("09:10", "imap-login", "oceania", up))
	for _, want := range []string{"09:13", "10:13"} { // closed, and forgotten
		due, ok := b.Next()
		wantTime(t, "next", due, want)
		if b.Advance(due.Add(-1)); !ok || len(b.Incidents()) != 1 {
			t.Fatalf("before %s: got %+v", want, b.Incidents())
		}
		b.Advance(due)
	}
	if _, ok := b.Next(); ok || len(b.Incidents()) != 0 {
		t.Errorf("got %+v, want nothing", b.Incidents())
	}
}

func TestReopening(t *testing.T) {
	b := told(turn("09:00", "imap-login", "oceania", down), turn("09:10", "imap-login", "oceania", up), turn("09:20", "imap-login", "oceania", down))
	i := only(t, b)
	wantKinds(t, i, incident.Opened, incident.Shrunk, incident.Recovery, incident.Closed, incident.Relapsed, incident.Reopened)
	if want := "Open again, 7 min after it was closed"; last(i).Words != want || i.Stage != incident.Investigating {
		t.Errorf("got %s, %q, want investigating, %q", i.Stage, last(i).Words, want)
	}
	wantTime(t, "recovered", i.Recovered, "")
	wantTime(t, "resolved", i.Resolved, "")
}

// More than three turns within an hour are a trouble that comes and goes.
func TestFlapping(t *testing.T) {
	pulses := func(clocks ...string) *incident.Book {
		b := told()
		for k, clock := range clocks {
			b.Observe(turn(clock, "imap-login", "oceania", []verdict.State{down, up}[k%2]))
		}
		return b
	}
	for _, tt := range []struct {
		name         string
		clocks       []string
		intermittent bool
		resolved     string
	}{
		{"two", []string{"09:00", "09:10"}, false, "09:13"},
		{"four within an hour", []string{"09:00", "09:10", "09:20", "10:00"}, true, "10:30"},
		{"four in more than an hour", []string{"09:00", "09:10", "09:20", "10:00:01"}, false, "10:03:01"},
		{"once it was, and no longer is", []string{"09:00", "09:10", "09:11", "09:12", "09:40", "11:00"}, true, "11:03"},
	} {
		b := pulses(tt.clocks...)
		b.Advance(at("11:30"))
		i := b.Touched()[0] // some are forgotten by then
		if i.Intermittent != tt.intermittent {
			t.Errorf("%s: got intermittent %v", tt.name, i.Intermittent)
		}
		wantTime(t, tt.name, i.Resolved, tt.resolved)
	}
	i := only(t, pulses("09:00", "09:10", "09:11", "09:12", "09:40", "11:00"))
	if n := strings.Count(strings.Join(words(i), "\n"), "It comes and goes, so it is not closed until it has been well for 30 min"); n != 1 {
		t.Errorf("it is said %d times, want once: %q", n, words(i))
	}
	b := told(turn("09:00", "imap-login", "oceania", flaps), turn("09:30", "imap-login", "oceania", up))
	b.Advance(at("09:33"))
	if i := only(t, b); !i.Intermittent || i.Stage != incident.Resolved {
		t.Errorf("of an intermittent verdict: got %+v", i)
	}
}

func words(i incident.Incident) (out []string) {
	for _, s := range i.Steps {
		out = append(out, s.Words)
	}
	return out
}

// A month of pulses is one incident of bounded size.
func TestBoundedSize(t *testing.T) {
	b := told()
	clock := at("00:00")
	for range 30 * 24 * 20 {
		for _, to := range []verdict.State{down, up} {
			c := turn("09:00", "imap-login", "oceania", to)
			c.At, c.Since = clock, clock
			b.Observe(c)
			clock = clock.Add(90 * time.Second)
		}
		if n := len(b.Touched()); n > 1 {
			t.Fatalf("got %d incidents touched at %s, want 1", n, clock)
		}
	}
	i := only(t, b)
	data, err := json.Marshal(i)
	if err != nil || len(data) > 200_000 {
		t.Errorf("got %d bytes, %v, want at most 200,000", len(data), err)
	}
	sum := len(i.Steps)
	for _, n := range i.Omitted.Kinds {
		sum += n
	}
	// One step of the first change, one of each other, one of each recovery, and one
	// that says that it flaps.
	if want := 30*24*20*3 + 1; len(i.Steps) != 500 || sum != want || i.Steps[0].Kind != incident.Opened || len(i.Turns) != 4 {
		t.Errorf("got %d steps of %d, want 500 of %d, %d turns", len(i.Steps), sum, want, len(i.Turns))
	}
	if !i.Omitted.From.After(i.Steps[249].At) && !i.Omitted.From.Equal(i.Steps[249].At) || i.Omitted.To.After(i.Steps[250].At) {
		t.Errorf("what is left out is from %s to %s, between %s and %s", i.Omitted.From, i.Omitted.To, i.Steps[249].At, i.Steps[250].At)
	}
}

// A check that leaves the configuration keeps nothing open.
func TestCheckLeaves(t *testing.T) {
	b := told(turn("09:00", "imap-login", "oceania", down), turn("09:01", "web", "oceania", down), turn("09:05", "imap-login", "oceania", up))
	w := world()
	w.Checks = w.Checks[:2]
	b.SetWorld(at("09:10"), w)
	i := only(t, b)
	wantKinds(t, i, incident.Opened, incident.Spread, incident.Shrunk, incident.Left, incident.Recovery)
	if m := i.Members[1]; !m.Gone || i.Stage != incident.Monitoring {
		t.Errorf("got %+v, %s", m, i.Stage)
	}
	wantTime(t, "recovered", i.Recovered, "09:10")
	b.Observe(turn("09:11", "web", "oceania", unknown)) // what the judge says of it says nothing new
	b.Advance(at("09:13"))
	i = only(t, b)
	wantTime(t, "resolved", i.Resolved, "09:13")
	if want := "Closed: all of it has been well for 3 min"; last(i).Words != want {
		t.Errorf("got %q, want %q", last(i).Words, want)
	}

	b.SetWorld(at("09:14"), incident.World{})
	b.SetWorld(at("09:15"), world())
	b.Observe(turn("09:16", "web", "oceania", down))
	if i := only(t, b); i.Stage != incident.Investigating || i.Members[1].Gone || !i.Members[0].Gone {
		t.Errorf("it is back: got %s, %+v", i.Stage, i.Members)
	}
	b.Observe(turn("09:17", "web", "oceania", up))
	b.SetWorld(at("09:18"), incident.World{})
	b.Advance(at("12:00"))
	if got := b.Incidents(); len(got) != 0 {
		t.Errorf("got %+v, want nothing", got)
	}
}

func TestAllChecksLeave(t *testing.T) {
	b := told(turn("09:00", "imap-login", "oceania", down))
	b.SetWorld(at("09:10"), incident.World{Regions: []status.Region{{ID: "oceania"}}})
	b.Advance(at("09:13"))
	if i := only(t, b); last(i).Words != "Closed: nobody looks at any of it any more" || !i.Resolved.Equal(at("09:13")) {
		t.Errorf("got %q at %s", last(i).Words, i.Resolved)
	}
}

// A clock that was ahead is put right: nothing is lost, and it is closed by the clock
// that is right.
func TestClockGoesBack(t *testing.T) {
	b := told(turn("19:00", "imap-login", "oceania", down))
	b.Advance(at("19:10"))
	b.Observe(turn("09:00", "imap-login", "oceania", unknown))
	b.Advance(at("09:01"))
	b.Observe(turn("09:02", "imap-login", "oceania", down))
	b.Observe(turn("09:10", "imap-login", "oceania", up))
	b.Advance(at("09:13"))
	if i := only(t, b); i.Stage != incident.Resolved || !i.Resolved.Equal(at("09:13")) {
		t.Errorf("got %s, %s", i.Stage, i.Resolved)
	}
}

// Touched are those that changed, once.
func TestTouched(t *testing.T) {
	b := told(turn("09:00", "imap-login", "oceania", down), turn("09:00", "post", "oceania", down, on(there)))
	if got := b.Touched(); len(got) != 2 {
		t.Errorf("got %+v, want both", got)
	}
	b.Observe(turn("09:10", "post", "oceania", up))
	for _, want := range []int{1, 0} {
		if got := b.Touched(); len(got) != want {
			t.Errorf("got %+v, want %d", got, want)
		}
	}
	b.Advance(at("12:00")) // closed and forgotten since it was asked
	if got := b.Touched(); len(got) != 1 || got[0].Stage != incident.Resolved {
		t.Errorf("got %+v, want that which was closed", got)
	}
	b.Observe(turn("12:00", "imap-login", "oceania", down)) // as it is
	if got := b.Touched(); len(got) != 0 {
		t.Errorf("got %+v, want nothing", got)
	}
}
