package incident_test

import (
	"testing"

	"varde/checks"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

func TestSummary(t *testing.T) {
	everywhere := []verdict.Change{
		turn("09:00", "imap-login", "oceania", down), turn("09:00", "imap-login", "us-east", down), turn("09:00", "imap-login", "eu-north", down),
	}
	bothFamilies := []verdict.Change{turn("09:00", "imap-login", "oceania", down), turn("09:00", "imap-login", "oceania", down, over(v6))}
	for _, tt := range []struct {
		name           string
		changes        []verdict.Change
		title, summary string
	}{
		{
			"one family of one region",
			[]verdict.Change{turn("09:00:42", "imap-login", "oceania", down, since("09:00:30"))},
			"IMAP (imap-login) cannot be reached over IPv4 from Oceania",
			"IMAP (imap-login) cannot be reached over IPv4 from Oceania since 21 Oct 2021, 09:00 UTC: TCP connects time out, seen by 3 of 3 probes.",
		},
		{
			"both families", bothFamilies,
			"IMAP (imap-login) cannot be reached from Oceania",
			"IMAP (imap-login) cannot be reached from Oceania since 21 Oct 2021, 09:00 UTC: TCP connects time out, seen by 3 of 3 probes.",
		},
		{
			"everywhere, two services", append(everywhere, turn("09:01", "web", "oceania", down, over(v6))),
			"IMAP (imap-login) and Webmail (web) cannot be reached from every region",
			"IMAP (imap-login) and Webmail (web) cannot be reached from every region since 21 Oct 2021, 09:00 UTC: TCP connects time out, seen by 9 of 9 probes.",
		},
		{
			"over", append(bothFamilies, turn("09:30", "imap-login", "oceania", up), turn("09:31", "imap-login", "oceania", up, over(v6))),
			"IMAP (imap-login) could not be reached from Oceania",
			"IMAP (imap-login) could not be reached from Oceania from 21 Oct 2021, 09:00 to 09:31 UTC: TCP connects time out, seen by 3 of 3 probes.",
		},
		{
			"over on another day", append(bothFamilies, turn("09:30", "imap-login", "oceania", up), func() verdict.Change {
				c := turn("09:30", "imap-login", "oceania", up, over(v6))
				c.At = c.At.AddDate(0, 0, 2)
				return c
			}()),
			"IMAP (imap-login) could not be reached from Oceania",
			"IMAP (imap-login) could not be reached from Oceania from 21 Oct 2021, 09:00 UTC to 23 Oct 2021, 09:30 UTC: TCP connects time out, seen by 3 of 3 probes.",
		},
		{
			"gravest first", append(bothFamilies, turn("09:01", "web", "us-east", slow)),
			"IMAP (imap-login) cannot be reached from Oceania",
			"IMAP (imap-login) cannot be reached from Oceania since 21 Oct 2021, 09:00 UTC: TCP connects time out, seen by 3 of 3 probes; also affected: Webmail (web) in Eastern US.",
		},
		{
			"slow",
			[]verdict.Change{
				turn("09:00", "post", "oceania", slow, in(checks.Auth, "")), turn("09:00", "post", "oceania", slow, in(checks.Auth, ""), over(v6)),
			},
			"Post can be logged in to only slowly from Oceania",
			"Post can be logged in to only slowly from Oceania since 21 Oct 2021, 09:00 UTC: the login takes long, seen by 3 of 3 probes.",
		},
		{
			"late",
			[]verdict.Change{turn("09:00", "loop", "oceania", slow, in(checks.Deliver, checks.Late)), turn("09:00", "loop", "oceania", slow, in(checks.Deliver, checks.Late), over(v6))},
			"Webmail (loop) can deliver mail only late from Oceania",
			"Webmail (loop) can deliver mail only late from Oceania since 21 Oct 2021, 09:00 UTC: mail is late, seen by 3 of 3 probes.",
		},
		{
			"at times",
			[]verdict.Change{turn("09:00", "web", "oceania", flaps), turn("09:00", "web", "oceania", flaps, over(v6))},
			"Webmail (web) cannot be reached at times from Oceania",
			"Webmail (web) cannot be reached at times from Oceania since 21 Oct 2021, 09:00 UTC: TCP connects time out, seen by 3 of 3 probes; it comes and goes.",
		},
		{
			"not known any more", append(bothFamilies, turn("09:10", "imap-login", "oceania", unknown), turn("09:10", "imap-login", "oceania", unknown, over(v6))),
			"IMAP (imap-login) cannot be reached from Oceania",
			"IMAP (imap-login) cannot be reached from Oceania since 21 Oct 2021, 09:00 UTC: TCP connects time out, seen by 3 of 3 probes; nothing of it is measured now.",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := only(t, told(tt.changes...))
			before := i.Clone()
			if got := incident.Title(world(), i); got != tt.title {
				t.Errorf("got the title\n%q, want\n%q", got, tt.title)
			}
			if i.Members[0].State != before.Members[0].State {
				t.Errorf("the incident was changed")
			}
			if got := incident.Summary(world(), i); got != tt.summary {
				t.Errorf("got\n%q, want\n%q", got, tt.summary)
			}
		})
	}
}

// Every state of every group has words.
func TestGroupWords(t *testing.T) {
	for _, tt := range []struct {
		phase checks.Phase
		class checks.Class
		want  string
	}{
		{checks.Resolve, checks.DNSTimeout, "Post cannot be found by name from Oceania since 21 Oct 2021, 09:00 UTC: the name servers do not answer, seen by 3 of 3 probes."},
		{checks.TLS, checks.CertExpired, "Post cannot be reached safely from Oceania since 21 Oct 2021, 09:00 UTC: the certificate has expired, seen by 3 of 3 probes."},
		{checks.Auth, checks.AuthTimeout, "Post cannot be logged in to from Oceania since 21 Oct 2021, 09:00 UTC: logins get no answer, seen by 3 of 3 probes."},
		{checks.Select, checks.CommandTimeout, "Post cannot be used from Oceania since 21 Oct 2021, 09:00 UTC: commands get no answer, seen by 3 of 3 probes."},
		{checks.Submit, checks.Closed, "Post cannot deliver mail from Oceania since 21 Oct 2021, 09:00 UTC: connections are cut, seen by 3 of 3 probes."},
		{"", "", "Post cannot be used from Oceania since 21 Oct 2021, 09:00 UTC: seen by 3 of 3 probes."},
	} {
		b := told(turn("09:00", "post", "oceania", down, in(tt.phase, tt.class)), turn("09:00", "post", "oceania", down, in(tt.phase, tt.class), over(v6)))
		if got := incident.Summary(world(), only(t, b)); got != tt.want {
			t.Errorf("got\n%q, want\n%q", got, tt.want)
		}
	}
}

// The impact is that of the gravest status of its services, and the gravest it was.
func TestImpact(t *testing.T) {
	all := func(check string, to verdict.State, regions ...string) (list []verdict.Change) {
		for _, r := range regions {
			list = append(list, turn("09:00", check, r, to), turn("09:00", check, r, to, over(v6)))
		}
		return list
	}
	bothChecks := func(regions ...string) []verdict.Change {
		return append(all("imap-login", down, regions...), all("imap-hello", down, regions...)...)
	}
	for _, tt := range []struct {
		name    string
		changes []verdict.Change
		want    incident.Impact
	}{
		{"slow", all("post", slow, "oceania", "us-east", "eu-north"), incident.MinorImpact},
		{"one depth everywhere", all("imap-login", down, "oceania", "us-east", "eu-north"), incident.MinorImpact},
		{"the shallow check alone", all("imap-hello", down, "oceania"), incident.MajorImpact},
		{"one family", []verdict.Change{turn("09:00", "post", "oceania", down)}, incident.MajorImpact},
		{"a small region", bothChecks("oceania"), incident.MajorImpact},
		{"five sevenths", bothChecks("oceania", "eu-north"), incident.CriticalImpact},
		{"three sevenths", bothChecks("oceania", "us-east"), incident.MajorImpact},
		{"it was worse", append(bothChecks("oceania", "eu-north"), turn("09:10", "imap-hello", "eu-north", up), turn("09:11", "imap-hello", "eu-north", up, over(v6))), incident.CriticalImpact},
	} {
		i := only(t, told(tt.changes...))
		if i.Impact != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, i.Impact, tt.want)
		}
	}
	i := only(t, told(append(bothChecks("oceania", "eu-north"), all("imap-hello", up, "eu-north")...)...))
	if got := world().Impact(i); got != incident.MajorImpact {
		t.Errorf("now: got %s, want major", got)
	}
	// Where nobody says what is judged, everything is.
	w := world()
	w.Series = nil
	if got := w.Impact(only(t, told(all("post", down, "oceania")...))); got != incident.MajorImpact {
		t.Errorf("without series: got %s, want major", got)
	}
}
