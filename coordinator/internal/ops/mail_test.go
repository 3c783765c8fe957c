package ops

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

func TestMailGolden(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake().withMail(), nil)
		for name, path := range map[string]string{
			"mail.json": "/api/v1/mail", "annotations.json": "/api/v1/annotations?check=imap-login", "findings.json": "/api/v1/findings?check=mx1",
		} {
			w := get(s, path)
			if w.Code != 200 || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("%s: got %d, %s", path, w.Code, w.Header().Get("Content-Type"))
			}
			var b bytes.Buffer
			if err := json.Indent(&b, w.Body.Bytes(), "", " "); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			golden(t, name, b.Bytes())
		}
		goldenPage(t, "mail.html", get(s, "/mail").Body.Bytes())
	})
}

func TestMailQuestions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake().withMail()
		s := newServer(t, f, nil)
		get(s, "/api/v1/mail?route=outbound&from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z&limit=2")
		if q := f.mailed; q.Route != "outbound" || q.Limit != 2 || q.Notable || !q.From.Equal(time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)) || q.To.Sub(q.From) != 24*time.Hour {
			t.Errorf("asked %+v", q)
		}
		get(s, "/api/v1/mail")
		if q := f.mailed; q.Limit != 1000 || !q.To.Equal(morning) || q.To.Sub(q.From) != 24*time.Hour {
			t.Errorf("asked %+v", q)
		}
		for path, want := range map[string]string{
			"/api/v1/mail?route=nowhere":                    `route "nowhere" is not configured, and no mail went that way then`,
			"/api/v1/mail?route=" + strings.Repeat("x", 64): `route "` + strings.Repeat("x", 64) + `", expected at most 63 printable bytes`,
			"/api/v1/mail?route=a%00b":                      `route "a\x00b", expected at most 63 printable bytes`,
			"/api/v1/mail?limit=10001":                      `limit "10001", expected a number from 1 to 10000`,
			"/api/v1/mail?from=now":                         `from "now", expected a time such as 2026-11-22T10:00:00Z`,
			"/api/v1/mail?state=lost":                       `parameter "state" is not known, expected one of route, from, to, limit`,
			"/api/v1/annotations?check=nothing":             `check "nothing" is not configured`,
			"/api/v1/annotations?limit=0":                   `limit "0", expected a number from 1 to 1000`,
			"/api/v1/findings?check=nothing":                `check "nothing" is not configured`,
			"/api/v1/findings?probe=osl-1":                  `parameter "probe" is not known, expected one of check`,
		} {
			w := get(s, path)
			var got struct{ Error string }
			if err := json.Unmarshal(w.Body.Bytes(), &got); w.Code != 400 || err != nil || got.Error != want {
				t.Errorf("%s: got %d %q, %v, want %q", path, w.Code, got.Error, err, want)
			}
		}
		if w := get(s, "/mail?range=2y"); w.Code != 400 {
			t.Errorf("a range of two years: got %d", w.Code)
		}
		f.breaks(errBroken)
		for _, path := range []string{"/mail", "/api/v1/mail", "/api/v1/annotations", "/api/v1/findings", "/"} {
			if w := get(s, path); w.Code != 503 || strings.Contains(w.Body.String(), "disk") {
				t.Errorf("%s with a broken disk: got %d %s", path, w.Code, w.Body)
			}
		}
	})
}

// The page makes the promise of each route, and names what speaks against it.
func TestMailPage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		s := newServer(t, f, nil)
		if body := get(s, "/mail").Body.String(); !strings.Contains(body, "<h1>No round trip is configured, so no mail is followed.</h1>") {
			t.Error("a fleet without round trips is not said to be one")
		}
		f.withMail()
		routes := f.routes
		f.routes = nil
		if body := get(s, "/mail").Body.String(); !strings.Contains(body, "<h1>No test mail was sent.</h1>") || strings.Contains(body, "0 lost") {
			t.Error("without a mail the page promises something")
		}
		f.routes = routes
		body := get(s, "/mail?range=7d").Body.String()
		for _, want := range []string{
			"1,440 test mails, 0 lost, longest delay 47 min, 3 late.", "96 test mails, 1 lost, longest delay 31 s, 3 late, 3 pending, the oldest for 40 min.",
			"internal: 1 mail of 1,440 found among the junk.", "found among the junk, DKIM fail, DMARC fail", "not found for 40 min", `aria-current="true">7d</a>`,
			"half within 2.1 s, 95 of 100 within 4.0 s",
		} {
			if !strings.Contains(body, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		if !f.mailed.Notable || f.mailed.Limit != mailLines+1 || f.mailed.To.Sub(f.mailed.From) != 7*24*time.Hour {
			t.Errorf("asked %+v", f.mailed)
		}
		for range 200 {
			f.mails = append(f.mails, f.mails[0])
		}
		if body := get(s, "/mail").Body.String(); strings.Count(body, ">pending</span>") > mailLines || !strings.Contains(body, "the newest of them") {
			t.Error("a long list is not cut, or not said to be")
		}
	})
}

// What is only late is called so, everywhere.
func TestLateIsCalledLate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake().withMail()
		f.now.Changes = append(f.now.Changes, verdict.Change{
			Series: verdict.Series{Check: "mail-outbound", Region: "eu-north", Family: checks.IPv4}, From: verdict.Up, To: verdict.Slow, At: morning.Add(-time.Hour), Reason: "mail is late, 3 of 3 probes",
		})
		s := newServer(t, f, nil)
		body := get(s, "/").Body.String()
		for _, want := range []string{"Northern Europe: Outgoing mail late", `<b class="s-slow">late</b>`, `<span class="s-slow">late</span>`, "Central Europe: Calendar slow"} {
			if !strings.Contains(body, want) {
				t.Errorf("the overview lacks %q", want)
			}
		}
		body = get(s, "/check/mail-outbound").Body.String()
		for _, want := range []string{
			"mail-outbound: late in Northern Europe since 09:40", "submission://mail.fjordmail.example to imaps://mail.fjordmail.example", "route <b>outbound</b>", "late after <b>2 min</b>",
			"logs in as <b>probe@fjordmail.example</b> to submit",
		} {
			if !strings.Contains(body, want) {
				t.Errorf("the page of the check lacks %q", want)
			}
		}
		if strings.Contains(body, "secret") {
			t.Error("the page of the check names a secret")
		}
	})
}

// What a server, a mail or a probe brings is words on a page and never a part of it.
func TestWordsOfServersAreWords(t *testing.T) {
	const evil = `"><script>alert("1")</script>&'`
	inBubble(t, func(t *testing.T) {
		f := newFake().withMail()
		for i := range f.routes {
			f.routes[i].Route = evil
		}
		for i := range f.mails {
			f.mails[i].Route, f.mails[i].SPF = evil, evil
		}
		for i, p := range f.presented {
			p.Handshake = &checks.Handshake{Version: evil, Chain: chainOf(evil, evil+evil, time.Hour)}
			f.presented[i] = p
		}
		for i := range f.annotations {
			f.annotations[i].From, f.annotations[i].To = evil, evil+"2"
		}
		f.findings = append(f.findings, Findings{checks.Findings{Check: "imap-login", Probe: "osl-1", List: []checks.Finding{{Code: "dane", Detail: evil}}}, morning})
		s := newServer(t, f, nil)
		for _, path := range []string{"/", "/mail", "/check/imap-login"} {
			w := get(s, path)
			body := strings.NewReplacer("<script>"+overviewJS, "", "<script>"+graphsJS, "").Replace(w.Body.String()) // ours
			if w.Code != 200 || strings.Contains(body, "<script") || !strings.Contains(body, "&lt;script&gt;alert(") {
				t.Errorf("%s: status %d, want the words of others as words", path, w.Code)
			}
		}
		for _, path := range []string{"/api/v1/mail", "/api/v1/annotations", "/api/v1/findings"} {
			w := get(s, path)
			if w.Code != 200 || strings.Contains(w.Body.String(), "<script") || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
				t.Errorf("%s: status %d, %s, want data in which no tag begins", path, w.Code, w.Header().Get("Content-Type"))
			}
		}
	})
}

// Every kind's configuration is shown, and nothing that may be secret.
func TestMeta(t *testing.T) {
	now := newFake().now
	for want, c := range map[string]checks.Target{
		"https://a.example every 30 s, timeout 10 s IPv4 up to 3 redirects body up to 1,000 bytes 2 headers of our own client certificate method POST HTTP 2 status 2xx body has \"ok\" body matches \"^o\"": {
			URL: "https://a.example", Expect: checks.Expect{Status: "2xx", Body: "ok", BodyRegexp: "^o"},
			WebOptions: checks.WebOptions{Method: "POST", HTTP: "2", Redirects: 3, MaxBody: 1000, Headers: map[string]string{"X-Key": "hush", "A": "b"}, Client: &checks.ClientCertificate{}},
		},
		"imaps://a.example every 30 s, timeout 10 s IPv4 logs in as u, xoauth2 mailbox INBOX, newest header read": {
			URL: "imaps://a.example", Login: &checks.Login{User: "u", Mechanism: checks.MechanismXOAUTH2, Password: checks.Secret{File: "/hush"}}, Expect: checks.Expect{Mailbox: "INBOX", Newest: true},
		},
		"smtp://mx.example every 30 s, timeout 10 s IPv4 from a@b.example to c@d.example mail of d.example": {
			URL: "smtp://mx.example", MailOptions: checks.MailOptions{From: "a@b.example", To: "c@d.example", Domain: "d.example"},
		},
		"dns://192.0.2.1/b.example every 30 s, timeout 10 s IPv4 answers 192.0.2.7, 192.0.2.8": {URL: "dns://192.0.2.1/b.example", Expect: checks.Expect{Answers: []string{"192.0.2.7", "192.0.2.8"}}},
		"tcp://b.example:4190 every 30 s, timeout 10 s IPv4 banner \"IMPLEMENTATION\"":         {URL: "tcp://b.example:4190", Expect: checks.Expect{Banner: "IMPLEMENTATION"}},
	} {
		c.Every, c.Families = 30*time.Second, []checks.Family{checks.IPv4}
		var got []string
		for _, m := range now.meta(c) {
			got = append(got, m.Before+m.Value+m.After)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("got  %s\nwant %s", s, want)
		}
	}
}

// The page of a check shows what its server presents, what changed in that, and what
// is to be mended.
func TestServerOfACheck(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake().withMail()
		s := newServer(t, f, nil)
		body := get(s, "/check/imap-login?range=24h").Body.String()
		for _, want := range []string{
			"<dt>Certificate</dt><dd>mail.fjordmail.example and www.mail.fjordmail.example</dd>", "<dd>R11</dd>", "28 Nov 2026, 10:20 UTC, in 6 d", "<dt>TLS</dt><dd>1.3</dd>",
			"11 probes in Northern Europe, Central Europe, Eastern US and Southeast Asia", "<code>198.51.100.7</code>", "R11, by Root X1, ends 10 May 2029",
			"<code>203.0.113.25</code> became <code>198.51.100.7</code>", "<code>R11</code> became <code>E5</code>",
		} {
			if !strings.Contains(body, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		if body := get(s, "/check/mx1").Body.String(); !strings.Contains(body, "mta_sts_mx") || !strings.Contains(body, "osl-1, osl-2") || strings.Contains(body, "Presented now") {
			t.Error("the page of the MX lacks its finding, or shows a certificate that nobody saw")
		}
		// Changes of verdict and of the server share the letters, in the order of time.
		if letters := strings.Count(body, `<span class="letter">`); letters != 6 {
			t.Errorf("%d lines have letters, want 6", letters)
		}
	})
}

func TestLettered(t *testing.T) {
	at := func(minutes int) time.Time { return morning.Add(time.Duration(minutes) * time.Minute) }
	var turns []time.Time
	for i := range 7 {
		turns = append(turns, at(10*i))
	}
	lines, letters := lettered(turns, []time.Time{at(-5), at(25), at(70)}, []time.Time{{}})
	if len(lines) != 8 || !slices.IsSortedFunc(lines, time.Time.Compare) {
		t.Errorf("lines at %v", lines)
	}
	if got := strings.Join(letters[0], ",") + ";" + strings.Join(letters[1], ",") + ";" + letters[2][0]; got != ",A,B,D,E,F,G;,C,H;" {
		t.Errorf("got %s", got)
	}
	if lines, _ := lettered(nil, nil); len(lines) != 0 {
		t.Errorf("nothing happened: %v", lines)
	}
}

// A certificate is told of once, however many checks and probes see it, and never
// called an outage.
func TestEndings(t *testing.T) {
	f := newFake()
	f.now.Probes = nil // they have notices of their own
	cert := func(subject, issuer string, left time.Duration) checks.Certificate {
		return checks.Certificate{Subject: subject, Issuer: issuer, NotAfter: morning.Add(left), Key: subject}
	}
	const day = 24 * time.Hour
	shown := func(check string, chain ...checks.Certificate) Presented {
		return Presented{Check: check, Handshake: &checks.Handshake{Chain: chain}}
	}
	now := standing{presented: []Presented{
		shown("imap-login", cert("a.example", "R1", 13*day), cert("R1", "Root", 2*day+time.Hour), cert("Root", "Root", -day)),
		shown("webmail-home", cert("a.example", "R1", 13*day)),
		shown("webmail-home", cert("a.example", "R1", 13*day)),
		shown("mx1", cert("mx.example", "mx.example", -time.Hour)),
		shown("mx2", cert("soon.example", "R2", 20*time.Hour)),
		shown("mx2", cert("fine.example", "Cross", 90*day), cert("Cross", "Old Root", -400*day)),
		shown("dav", cert("fine.example", "R2", 14*day+time.Second)),
		shown("removed", cert("gone.example", "R2", day)),
	}}
	views := f.now.notices(now)
	var got []string
	for _, v := range views {
		got = append(got, v.Class+": "+v.Title+"; "+v.Detail+"; "+strings.Join(v.Checks, " "))
	}
	want := []string{
		"slow: The intermediate certificate Cross has ended, 18 Oct 2025, 10:20 UTC; issued by Old Root; it may be left out where no check fails; mx2",
		"down: The certificate of mx.example has ended, 22 Nov 2026, 09:20 UTC; issued by mx.example; mx1",
		"flaky: The certificate of soon.example ends in 20 h, 23 Nov 2026, 06:20 UTC; issued by R2; mx2",
		"flaky: The intermediate certificate R1 ends in 2 d, 24 Nov 2026, 11:20 UTC; issued by Root; imap-login",
		"slow: The certificate of a.example ends in 13 d, 5 Dec 2026, 10:20 UTC; issued by R1; imap-login webmail-home",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if got := Endings(now.presented[3:4], morning); len(got) != 1 || got[0] != "The certificate of mx.example has ended, 22 Nov 2026, 09:20 UTC (mx1)" {
		t.Errorf("in words: %q", got)
	}
	inBubble(t, func(t *testing.T) {
		f := newFake().withMail()
		s := newServer(t, f, nil)
		before := get(newServer(t, newFake(), nil), "/api/v1/verdicts").Body.String()
		body := get(s, "/").Body.String()
		for _, want := range []string{"To mend", "The certificate of mail.fjordmail.example ends in 6 d, 28 Nov 2026, 10:20 UTC", "mta_sts_mx", "(osl-1, osl-2)"} {
			if !strings.Contains(body, want) {
				t.Errorf("the overview lacks %q", want)
			}
		}
		f.now.Verdicts = newFake().now.Verdicts
		if after := get(s, "/api/v1/verdicts").Body.String(); after != before {
			t.Error("a notice changed a verdict")
		}
	})
}

// What was found beside the verdicts stands first: a refused password, then each
// probe that is alone, once.
func TestAlerts(t *testing.T) {
	since := morning.Add(-11 * time.Minute)
	f := newFake()
	f.now.Notices = []verdict.Notice{
		{Kind: verdict.Stray, Check: "imap-login", Probe: "osl-2", Since: since, Reason: "22 runs in a row failed (greeting_error), of 43 runs of 2 probes besides 0 failed"},
		{Kind: verdict.Stray, Check: "mx1", Probe: "osl-2", Since: since, Reason: "another"},
		{Kind: verdict.Refused, Check: "submission", Since: since, Reason: "the last login of each probe was refused"},
	}
	want := []string{
		"Every login is refused (submission): since 10:09:14 UTC: the last login of each probe was refused",
		"osl-2 sees what nobody else sees (imap-login and mx1): since 10:09:14 UTC: 22 runs in a row failed (greeting_error), of 43 runs of 2 probes besides 0 failed",
	}
	if got := Alerts(f.now.Notices, morning); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	inBubble(t, func(t *testing.T) {
		body := get(newServer(t, f, nil), "/").Body.String()
		first, second := strings.Index(body, "Every login is refused"), strings.Index(body, "osl-2 sees what nobody else sees")
		if first < 0 || second < first {
			t.Errorf("the overview has them at %d and %d", first, second)
		}
	})
}

// The waterfall of an observation shows what its server presented.
func TestObservationShowsItsCertificate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		now := newFake().now
		s := newServer(t, newFake(), nil)
		o := newFake().observation(0)
		o.TLS = &checks.Handshake{Version: "1.2", Chain: chainOf("old.example", "R3", -time.Hour)}
		v, err := s.one(t.Context(), now, o)
		if err != nil || v.TLS == nil || v.TLS.Soon != "down" || !strings.HasSuffix(v.TLS.Ends, "it has ended") || v.TLS.Version != "1.2" {
			t.Errorf("got %+v, %v", v.TLS, err)
		}
		o.TLS = &checks.Handshake{}
		if v, err := s.one(t.Context(), now, o); err != nil || v.TLS != nil {
			t.Errorf("nothing was presented: got %+v, %v", v.TLS, err)
		}
	})
}
