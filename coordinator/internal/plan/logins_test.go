package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/plan"
	"varde/proto/wire"
)

// fleet gives the world n probes in each of the regions, and the check that the
// contract shows, which leaves room for nine of them.
func (w *world) fleet(t *testing.T, n int, regions ...string) {
	t.Helper()
	w.in.Probes, w.in.Regions, w.in.MinProbes = nil, nil, 2
	for _, r := range regions {
		w.in.Regions = append(w.in.Regions, wire.Region{ID: r, Name: r})
		for i := range n {
			w.in.Probes = append(w.in.Probes, w.probe(t, fmt.Sprintf("%s-%d", r, i+1), r))
		}
	}
	w.in.Checks = []checks.Target{w.check("imap-login", "imap", "imaps://mail.example.net")}
}

// loginProbes makes a plan and returns who may log in for its first check.
func (w *world) loginProbes(t *testing.T, m *plan.Maker) []string {
	t.Helper()
	if _, err := m.Make(w.in); err != nil {
		t.Fatal(err)
	}
	p, _ := m.Current()
	return p.Checks[0].LoginProbes
}

func perRegion(names []string) map[string]int {
	n := map[string]int{}
	for _, name := range names {
		n[name[:strings.LastIndexByte(name, '-')]]++
	}
	return n
}

// TestThreeConnectionsPerAccount: as many probes log in as make three connections
// at once, in all regions the same number, and nobody else is told the password.
func TestThreeConnectionsPerAccount(t *testing.T) {
	w := newWorld(t)
	m := w.open(t)
	w.fleet(t, 3, "a", "b", "c")
	if got := w.loginProbes(t, m); got != nil {
		t.Errorf("nine probes: got %q, want all of them", got)
	}
	w.fleet(t, 4, "a", "b", "c")
	got := w.loginProbes(t, m)
	if n := perRegion(got); len(got) != 9 || n["a"] != 3 || n["b"] != 3 || n["c"] != 3 {
		t.Errorf("twelve probes: got %q, want three of each region", got)
	}
	for _, p := range w.in.Probes {
		_, secrets := w.read(t, m, p.Name)
		if may := slices.Contains(got, p.Name); (secrets["imap-login"] != "") != may || (len(m.Knows(p.Name)) > 0) != may {
			t.Errorf("%s may log in: %t, and knows %q", p.Name, may, m.Knows(p.Name))
		}
	}
	if n := strings.Count(w.log.String(), "level=WARN"); n != 1 || !strings.Contains(w.log.String(), "checks=imap-login user=probe probes=12 may_log_in=9") {
		t.Errorf("the operator is told %d times, want once:\n%s", n, w.log.String())
	}
}

// TestLoginProbesStay when others come and go.
func TestLoginProbesStay(t *testing.T) {
	w := newWorld(t)
	m := w.open(t)
	w.fleet(t, 6, "a", "b", "c")
	before := w.loginProbes(t, m)
	bystander := slices.IndexFunc(w.in.Probes, func(p plan.Probe) bool { return !slices.Contains(before, p.Name) })
	w.in.Probes = slices.Delete(w.in.Probes, bystander, bystander+1)
	if got := w.loginProbes(t, m); !slices.Equal(got, before) {
		t.Errorf("one that does not log in is gone: got %q, want %q", got, before)
	}
	gone := slices.IndexFunc(w.in.Probes, func(p plan.Probe) bool { return p.Name == before[0] })
	w.in.Probes = slices.Delete(w.in.Probes, gone, gone+1)
	got := w.loginProbes(t, m)
	if n := perRegion(got); len(got) != 9 || n["a"] != 3 {
		t.Errorf("%s is gone: got %q, want another of its region", before[0], got)
	}
	for _, name := range before[1:] {
		if !slices.Contains(got, name) {
			t.Errorf("%s is gone, and %s may log in no more", before[0], name)
		}
	}
	if n := strings.Count(w.log.String(), "level=WARN"); n != 3 {
		t.Errorf("told %d times, want once for each number of probes", n)
	}
}

func TestHowManyMayLogIn(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world)
		want   int // 0 for all
		told   string
	}{
		"all of a longer interval": {func(w *world) { w.in.Checks[0].Every = time.Minute }, 0, ""},
		"no login":                 {func(w *world) { w.in.Checks[0].Login = nil }, 0, ""},
		"two checks of one account": {func(w *world) {
			again := w.in.Checks[0].Clone()
			again.ID, again.Every, again.Timeout = "imap-again", time.Minute, 5*time.Second
			w.in.Checks = append(w.in.Checks, again)
		}, 7, `checks="imap-login, imap-again"`},
		"the same login at another server": {func(w *world) {
			again := w.in.Checks[0].Clone()
			again.ID, again.URL = "imap-again", "imaps://other.example.net"
			w.in.Checks = append(w.in.Checks, again)
		}, 9, "checks=imap-login "},
		"one region": {func(w *world) { w.in.Checks[0].Regions = []string{"b"} }, 0, ""},
		"no verdict without them": {func(w *world) {
			w.in.Checks[0].Every = 10 * time.Second
		}, 6, "one account can have too many connections at once"},
		"test mails": {func(w *world) { w.mails(0, true) }, 0, ""},
		"test mails without consent": {func(w *world) {
			w.mails(40*time.Minute, false)
		}, 4, "not all probes send mail, or the provider would have more than its floor allows: too few for a verdict of every region"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fleet(t, 4, "a", "b", "c")
			c.change(w)
			got := w.loginProbes(t, w.open(t))
			if len(got) != c.want || (c.told == "") == strings.Contains(w.log.String(), "level=WARN") || !strings.Contains(w.log.String(), c.told) {
				t.Errorf("%d may log in, want %d, and told %s:\n%s", len(got), c.want, c.told, w.log.String())
			}
			for region, n := range perRegion(got) {
				if n < c.want/3 {
					t.Errorf("%d in %s: %q", n, region, got)
				}
			}
		})
	}
}

// mails makes the first check a round trip.
func (w *world) mails(every time.Duration, consent bool) {
	imap := w.in.Checks[0]
	w.in.Checks[0] = checks.Target{
		ID: "mail-loop", Service: "imap", Kind: checks.RoundTrip, Every: max(every, 15*time.Minute), Timeout: 10 * time.Second, Consent: consent,
		MailOptions: checks.MailOptions{
			From: "probe@example.net", To: "probe@example.net",
			Submit: &checks.Leg{URL: "submission://mail.example.net", Login: imap.Login}, Receive: &checks.Leg{URL: imap.URL, Login: imap.Login},
		},
	}
}
