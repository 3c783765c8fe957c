package statuspage

import (
	"context"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/mail"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// all is the scene of every service of the fake.
func (f *fake) all() scene {
	now, _ := f.Now(context.Background())
	return sceneOf(Page{ID: "main", Title: "Fjordmail status", Services: []string{"webmail", "imap", "smtp", "mx", "dav"}}, now)
}

func down(r *Reading) { r.State, r.Since = verdict.Down, morning.Add(-time.Hour) }
func unknown(r *Reading) {
	r.State, r.Last, r.LastAt = verdict.Unknown, verdict.Up, morning.Add(-29*time.Minute)
}
func partial(r *Reading) { r.Partial = true }
func slow(r *Reading)    { r.State = verdict.Slow }
func late(r *Reading)    { r.State, r.Late = verdict.Slow, true }
func flaky(r *Reading)   { r.State = verdict.Intermittent }

// only is a change that is about a part of the service.
func only(change func(*Reading), scope status.Scope) func(*Reading) {
	return func(r *Reading) { change(r); r.Scope = scope }
}

func logins(r *Reading) { only(slow, status.Scope{Extent: status.Logins})(r) }

func TestHeadline(t *testing.T) {
	for _, c := range []struct {
		name        string
		change      func(*fake)
		first, rest string
	}{
		{"quiet", func(*fake) {}, "Everything works.", "All five services can be reached from every region that we measure."},
		{"one service in one region", func(f *fake) { f.set("imap", "oceania", down) }, "IMAP cannot be reached from Oceania.", "Everything else works."},
		{"two services together", func(f *fake) { f.set("smtp", "oceania", down); f.set("imap", "oceania", down) }, "IMAP and outgoing mail cannot be reached from Oceania.", "Everything else works."},
		{"several regions", func(f *fake) { f.set("imap", "oceania", down); f.set("imap", "us-east", down) }, "IMAP cannot be reached from North America and Oceania.", "Everything else works."},
		{"everywhere", func(f *fake) { f.set("imap", "", down) }, "IMAP cannot be reached from any region.", "Everything else works."},
		{"all services in one region", func(f *fake) {
			for _, s := range f.services {
				f.set(s.ID, "oceania", down)
			}
		}, "No service can be reached from Oceania.", "Everything else works."},
		{"everything everywhere", func(f *fake) {
			for _, s := range f.services {
				f.set(s.ID, "", down)
			}
		}, "No service can be reached from any region.", ""},
		{"the second trouble is named", func(f *fake) { f.set("imap", "oceania", down); f.set("webmail", "us-east", flaky) }, "IMAP cannot be reached from Oceania.", "Webmail fails at times in North America. Everything else works."},
		{"slow", func(f *fake) { f.set("mx", "", slow); f.set("dav", "", slow) }, "Incoming mail and calendar and contacts are slow everywhere.", "Everything else works."},
		{"late mail", func(f *fake) { f.set("smtp", "", late); f.set("imap", "", late) }, "Mail arrives late everywhere: IMAP and outgoing mail.", "Everything else works."},
		{"late mail beside a slow page", func(f *fake) { f.set("smtp", "oceania", late); f.set("webmail", "oceania", slow) }, "Webmail is slow in Oceania.", "Mail arrives late in Oceania: outgoing mail. Everything else works."},
		{"down is not late", func(f *fake) { f.set("smtp", "oceania", late); f.set("smtp", "oceania", down) }, "Outgoing mail cannot be reached from Oceania.", "Everything else works."},
		{"one address family", func(f *fake) {
			f.set("imap", "oceania", only(down, status.Scope{Extent: status.OneFamily, Family: checks.IPv6}))
		}, "IMAP cannot be reached over IPv6 from Oceania.", "Everything else works."},
		{"logins alone", func(f *fake) { f.set("imap", "", only(down, status.Scope{Extent: status.Logins})) }, "Logging in to IMAP fails everywhere.", "Everything else works."},
		{"slow logins of two", func(f *fake) { f.set("imap", "oceania", logins); f.set("webmail", "oceania", logins) }, "Logging in to Webmail and IMAP is slow in Oceania.", "Everything else works."},
		{"delivery at times", func(f *fake) { f.set("smtp", "oceania", only(flaky, status.Scope{Extent: status.Deliveries})) }, "Delivery of mail by outgoing mail fails at times in Oceania.", "Everything else works."},
		{"some checks", func(f *fake) { f.set("imap", "oceania", only(down, status.Scope{Extent: status.Some})) }, "A part of IMAP cannot be reached from Oceania.", "Everything else works."},
		{"maintenance", func(f *fake) { f.set("dav", "us-east", func(r *Reading) { r.Maintenance = true }) }, "Calendar and contacts is under maintenance in North America.", "Everything else works."},
		{"a gap is no part of everything", func(f *fake) { f.set("imap", "oceania", unknown) }, "Everything that we measure works.", "Not measured: IMAP from Oceania."},
		{"a silent region", func(f *fake) {
			for _, s := range f.services {
				f.set(s.ID, "oceania", unknown)
			}
		}, "Everything that we measure works.", "Not measured: everything from Oceania."},
		{"a gap in a part", func(f *fake) { f.set("imap", "oceania", partial) }, "Everything that we measure works.", "Not measured: a part of IMAP from Oceania."},
		{"gaps in parts and in all", func(f *fake) { f.set("imap", "oceania", partial); f.set("imap", "us-east", unknown) }, "Everything that we measure works.", "Not measured: IMAP from North America. Not measured: a part of IMAP from Oceania."},
		{"a gap in a part of what is down anyway", func(f *fake) { f.set("imap", "oceania", down); f.set("imap", "oceania", partial) }, "IMAP cannot be reached from Oceania.", "Everything else works."},
		{"trouble and a gap", func(f *fake) { f.set("imap", "oceania", unknown); f.set("imap", "us-east", down) }, "IMAP cannot be reached from North America.", "Not measured: IMAP from Oceania. Everything else works."},
		{"a service that nobody checks", func(f *fake) { f.services[1].Readings = nil }, "Everything that we measure works.", "Not measured: IMAP from every region."},
		{"nothing is measured", func(f *fake) {
			for _, s := range f.services {
				f.set(s.ID, "", unknown)
			}
		}, "Nothing is measured now.", "There is no current observation, so this page claims nothing. The newest one is of 10:20 UTC."},
		{"nothing was ever measured", func(f *fake) {
			for _, s := range f.services {
				f.set(s.ID, "", unknown)
			}
			for i := range f.regions {
				f.regions[i].Newest = time.Time{}
			}
		}, "Nothing is measured yet.", "There is no current observation, so this page claims nothing."},
	} {
		f := newFake(false)
		c.change(f)
		if got := f.all().headline(); got.First != c.first || got.Rest != c.rest {
			t.Errorf("%s:\ngot  %q\n     %q\nwant %q\n     %q", c.name, got.First, got.Rest, c.first, c.rest)
		}
	}
}

func TestHeadlineOfOneService(t *testing.T) {
	f := newFake(true)
	s, ok := f.all().only("imap")
	if !ok {
		t.Fatal("the scene lacks imap")
	}
	h := s.headline()
	if h.First != "IMAP cannot be reached from Oceania." || h.Rest != "It works from Northern Europe and North America." || !h.Since.Equal(f.outage()) {
		t.Errorf("got %+v", h)
	}
	quiet, _ := newFake(false).all().only("imap")
	if h := quiet.headline(); h.Rest != "IMAP can be reached from every region that we measure." {
		t.Errorf("got %q", h.Rest)
	}
}

// TestScopeIsNamed looks at every place that says how a service is while a part of
// it has trouble.
func TestScopeIsNamed(t *testing.T) {
	f := newFake(false)
	f.set("imap", "oceania", func(r *Reading) {
		down(r)
		r.Status, r.Scope = status.Partial, status.Scope{Extent: status.OneFamily, Family: checks.IPv6}
	})
	s := f.all()
	reading, _ := f.services[1].reading("oceania")
	if got := s.small(reading, false); got != "over IPv6, since 09:20" {
		t.Errorf("cell says %q", got)
	}
	d, err := s.document("summary")
	if err != nil {
		t.Fatal(err)
	}
	if c := component(t, d, "IMAP", "Oceania"); c.Status != status.Partial || c.Description == nil || *c.Description != "Over IPv6" {
		t.Errorf("component is %+v", c)
	}
	if c := component(t, d, "IMAP", ""); c.Status != status.Partial {
		t.Errorf("group is %+v", c)
	}
}

// TestPartIsNeverSilent looks at every place that says how a service is while a
// part of it is not measured.
func TestPartIsNeverSilent(t *testing.T) {
	f := newFake(false)
	f.set("imap", "", partial)
	s := f.all()
	if got := s.small(f.services[1].Readings[0], false); got != "a part is not measured" {
		t.Errorf("cell says %q", got)
	}
	components, all := s.components()
	if all.Description != "All Measured Systems Operational" {
		t.Errorf("JSON says %q of everything", all.Description)
	}
	n := 0
	for _, c := range components {
		if c.Description != nil && *c.Description == "A part is not measured" && c.Status == status.Operational {
			n++
		}
	}
	if n != len(f.regions) {
		t.Errorf("%d components say that a part is not measured, want %d", n, len(f.regions))
	}
	f.set("imap", "us-east", down)
	one, _ := f.all().only("imap")
	if h := one.headline(); h.Rest != "Not measured: a part of IMAP from Northern Europe and Oceania. Everything else works." {
		t.Errorf("headline goes on with %q", h.Rest)
	}
}

func TestNamesInsideASentence(t *testing.T) {
	for name, want := range map[string]string{
		"Outgoing mail": "outgoing mail", "IMAP": "IMAP", "Webmail": "Webmail", "Fjord Mail": "Fjord Mail", "IMAP and more": "IMAP and more", "": "", "Ärzte und mehr": "ärzte und mehr",
	} {
		if got := inSentence(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestMoments(t *testing.T) {
	for want, at := range map[string]time.Time{
		"07:42 UTC": morning.Truncate(24 * time.Hour).Add(7*time.Hour + 42*time.Minute), "21 Nov, 23:59 UTC": morning.Truncate(24 * time.Hour).Add(-time.Minute),
		"22 Nov 2025, 10:20 UTC": morning.AddDate(-1, 0, 0),
	} {
		if got := moment(at, morning); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestBadgeSaysNoMoreThanWasMeasured(t *testing.T) {
	for _, c := range []struct {
		change func(*fake)
		want   string
	}{
		{func(*fake) {}, "works everywhere"},
		{func(f *fake) { f.set("imap", "oceania", down) }, "unreachable: Oceania"},
		{func(f *fake) { f.set("imap", "", down) }, "unreachable everywhere"},
		{func(f *fake) { f.set("imap", "oceania", unknown) }, "not measured: Oceania"},
		{func(f *fake) { f.set("imap", "", unknown) }, "not measured everywhere"},
		{func(f *fake) { f.set("imap", "oceania", partial) }, "partly not measured: Oceania"},
		{func(f *fake) { f.set("imap", "", partial) }, "partly not measured everywhere"},
		{func(f *fake) { f.set("imap", "us-east", unknown); f.set("imap", "oceania", partial) }, "not measured: North America"},
		{func(f *fake) { f.set("imap", "us-east", flaky); f.set("imap", "oceania", unknown) }, "fails at times: North America"},
		{func(f *fake) { f.services[1].Readings = f.services[1].Readings[:1] }, "works from Northern Europe"},
		{func(f *fake) { f.services[1].Readings = nil }, "not measured"},
	} {
		f := newFake(false)
		c.change(f)
		now, _ := f.Now(t.Context())
		s := sceneOf(Page{Services: []string{"imap"}}, now)
		if got := s.badgeWords(s.services[0]); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// What is late is called so in cells and on badges, and its status is degraded.
func TestLateWords(t *testing.T) {
	f := newFake(false)
	f.set("smtp", "oceania", late)
	now, err := f.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := sceneOf(Page{Services: []string{"smtp"}}, now)
	if got := s.badgeWords(s.services[0]); got != "late: Oceania" {
		t.Errorf("badge: %q", got)
	}
	oceania, _ := s.region("oceania")
	if got := s.cell(s.services[0], oceania); got.Word != "Late" || got.Class != "slow" {
		t.Errorf("cell: %+v", got)
	}
	f.set("smtp", "us-east", slow)
	now, _ = f.Now(t.Context())
	s = sceneOf(Page{Services: []string{"smtp"}}, now)
	if got := s.badgeWords(s.services[0]); got != "slow: North America" {
		t.Errorf("badge with a slow region: %q", got)
	}
}

// The page of a service makes the promise of its mails, and none where there were
// none.
func TestMailSentence(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake(false)
		if body := ask(newSite(t, f), "/service/smtp").Body.String(); strings.Contains(body, "test mail") {
			t.Error("a service without test mails speaks of some")
		}
		f.mails = mail.Sums{Sent: 1440, Arrived: 1438, Longest: 47 * time.Minute, Pending: 2, Waiting: morning.Add(-time.Minute)}
		s := newSite(t, f)
		for range 3 {
			body := ask(s, "/service/smtp?range=7d").Body.String()
			for _, want := range []string{"What became of test mails, the last 7 days", "1,440 test mails, 0 lost, longest delay 47 min, 2 pending, the oldest for 1 min."} {
				if !strings.Contains(body, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			time.Sleep(3 * time.Second)
		}
		if n := f.called("mail smtp"); n != 2 {
			t.Errorf("the mails were read %d times, want once by each site", n)
		}
		f.breaks(errBroken)
		if w := ask(newSite(t, f), "/service/smtp?range=7d"); w.Code != 503 {
			t.Errorf("broken: got %d", w.Code)
		}
	})
}
