package waterfall_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"varde/checks"
	"varde/probe/internal/waterfall"
)

var update = flag.Bool("update", false, "write the golden files")

func ms(p checks.Phase, n float64) checks.PhaseTiming {
	return checks.PhaseTiming{Name: p, Duration: time.Duration(n * float64(time.Millisecond))}
}

// attempt sums up its phases.
func attempt(url string, r checks.Result) waterfall.Attempt {
	for _, p := range r.Phases {
		r.Elapsed += p.Duration
	}
	return waterfall.Attempt{URL: url, Family: checks.IPv4, Result: r}
}

func TestGolden(t *testing.T) {
	up := attempt("imaps://mail.example.net", checks.Result{
		Outcome: checks.Up, Address: "192.0.2.25:993",
		Phases: []checks.PhaseTiming{
			ms(checks.Resolve, 1.2), ms(checks.Connect, 22), ms(checks.TLS, 31.4), ms(checks.Greeting, 3.3),
			ms(checks.Capability, 8.4), ms(checks.Auth, 14.9), ms(checks.Select, 1), ms(checks.Logout, .8),
		},
	})
	silent := attempt("submission://mail.example.net", checks.Result{
		Outcome: checks.Down, FailedPhase: checks.Greeting, Class: checks.GreetingTimeout, Detail: "no greeting within 5s",
		Address: "192.0.2.25:587", Phases: []checks.PhaseTiming{ms(checks.Resolve, 1.2), ms(checks.Connect, 22), ms(checks.Greeting, 5000)},
	})
	rejected := attempt("imaps://mail.example.net", checks.Result{
		Outcome: checks.Unknown, FailedPhase: checks.Auth, Class: checks.AuthRejected,
		Detail:  "NO [AUTHENTICATIONFAILED] " + strings.Repeat("many words of the server ", 8),
		Address: "[2001:db8::25]:993",
		Phases:  []checks.PhaseTiming{ms(checks.Connect, 22), ms(checks.TLS, 31.4), ms(checks.Auth, 2014.9)},
	})
	nowhere := attempt("https://nowhere.example", checks.Result{
		Outcome: checks.Down, FailedPhase: checks.Resolve, Class: checks.DNSError, Detail: "nowhere.example has no ipv4 address",
		Phases: []checks.PhaseTiming{ms(checks.Resolve, 4.2)},
	})
	noted := up
	noted.Result.Detail = "LOGOUT was not answered"
	nothing := waterfall.Attempt{URL: "smtp://mx.example.net", Family: checks.IPv6, Result: checks.Result{Class: checks.OwnError, Detail: "a bug"}}
	shown := up
	shown.At = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	shown.Result.TLS = &checks.Handshake{Version: "1.3", Chain: []checks.Certificate{
		{
			Subject: "mail.example.net", Issuer: "R3", Names: []string{"mail.example.net", "imap.example.net"},
			NotAfter: shown.At.Add(32*24*time.Hour + time.Hour), Key: strings.Repeat("0a", 32),
		},
		{Subject: "R3", Issuer: "ISRG Root X1", NotAfter: shown.At.Add(365 * 24 * time.Hour)},
	}}
	shown.Result.Presented = &checks.Presented{
		Banner: "Dovecot ready.", Protocol: "IMAP4rev1",
		Capabilities: strings.Fields("IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN AUTH=LOGIN AUTH=XOAUTH2"),
		Replies:      []string{"OK", "OK [READ-ONLY]"},
	}
	expired := rejected
	expired.At = shown.At
	expired.Result.TLS = &checks.Handshake{Chain: []checks.Certificate{{Subject: "old", Issuer: "old", NotAfter: shown.At.Add(-time.Hour), Key: "0a"}}}
	for name, a := range map[string]waterfall.Attempt{
		"shown": shown, "expired": expired,
		"up": up, "silent": silent, "rejected": rejected, "nowhere": nowhere, "noted": noted, "nothing": nothing,
	} {
		for suffix, style := range map[string]waterfall.Style{"": {}, "-color": {Colour: true, Bars: 20}} {
			path := filepath.Join("testdata", name+suffix+".txt")
			got := waterfall.Draw(a, style)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
			}
		}
	}
}

func TestLine(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 42, 7, 0, time.UTC)
	up := attempt("imaps://mail.example.net", checks.Result{
		Outcome: checks.Up, Phases: []checks.PhaseTiming{ms(checks.Connect, 22), ms(checks.TLS, 31.4)},
	})
	down := attempt("imaps://mail.example.net", checks.Result{
		Outcome: checks.Down, FailedPhase: checks.Greeting, Class: checks.GreetingTimeout, Detail: "no greeting within 5s",
		Phases: []checks.PhaseTiming{ms(checks.Greeting, 5000)},
	})
	for want, a := range map[string]waterfall.Attempt{
		"10:42:07  up          53 ms  imaps://mail.example.net  ipv4  connect 22 · tls 31\n":                                 up,
		"10:42:07  down       5.00 s  imaps://mail.example.net  ipv4  greeting_timeout in greeting: no greeting within 5s\n": down,
	} {
		a.At = at
		if got := waterfall.Line(a, waterfall.Style{}); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// TestColorIsOnlyPaint draws the same with and without.
func TestColorIsOnlyPaint(t *testing.T) {
	escape := regexp.MustCompile("\x1b\\[[0-9]*m")
	rapid.Check(t, func(t *rapid.T) {
		a := drawn(t)
		plain, painted := waterfall.Draw(a, waterfall.Style{}), waterfall.Draw(a, waterfall.Style{Colour: true})
		if got := escape.ReplaceAllString(painted, ""); got != plain {
			t.Errorf("got\n%s\nwant\n%s", got, plain)
		}
	})
}

// TestBars are never outside of their place, and no bar begins before the one
// above it.
func TestBars(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawn(t)
		width := rapid.IntRange(1, 120).Draw(t, "width")
		last := 0
		lines := strings.Split(waterfall.Draw(a, waterfall.Style{Bars: width}), "\n")
		for _, line := range lines[1 : 1+len(a.Result.Phases)] {
			bars := string([]rune(line)[2+10+1+10+2:])
			bars = strings.TrimSuffix(bars, " ✗")
			begin := utf8.RuneCountInString(bars) - utf8.RuneCountInString(strings.TrimLeft(bars, " "))
			if utf8.RuneCountInString(bars) > width+1 || begin < last || strings.TrimSpace(bars) == "" {
				t.Errorf("bar %q, expected within %d and from %d on", bars, width, last)
			}
			last = begin
		}
	})
}

func drawn(t *rapid.T) waterfall.Attempt {
	phase := rapid.Custom(func(t *rapid.T) checks.PhaseTiming {
		return ms(rapid.SampledFrom([]checks.Phase{checks.Resolve, checks.FirstByte, checks.Capability}).Draw(t, "phase"),
			rapid.Float64Range(0, 60_000).Draw(t, "ms"))
	})
	r := checks.Result{Outcome: checks.Up, Phases: rapid.SliceOfN(phase, 0, 10).Draw(t, "phases")}
	if n := len(r.Phases); n > 0 && rapid.Bool().Draw(t, "down") {
		r.FailedPhase, r.Class, r.Outcome = r.Phases[n-1].Name, checks.Closed, checks.Down
	}
	return attempt("smtp://mx.example.net", r)
}

func TestEveryClassHasAMeaning(t *testing.T) {
	for _, c := range []checks.Class{
		checks.DNSTimeout, checks.DNSError, checks.ConnectTimeout, checks.ConnectRefused, checks.ConnectReset, checks.Unreachable,
		checks.TLSTimeout, checks.TLSError, checks.CertExpired, checks.CertName, checks.CertUntrusted, checks.GreetingTimeout,
		checks.GreetingError, checks.Busy, checks.AuthTimeout, checks.AuthTempfail, checks.AuthRejected, checks.Policy,
		checks.CommandTimeout, checks.ProtocolError, checks.Closed, checks.HTTPStatus, checks.BodyMismatch, checks.Late,
		checks.OwnNetwork, checks.OwnLate, checks.OwnError,
	} {
		if m := waterfall.Meaning(c); m == string(c) {
			t.Errorf("%s has no meaning", c)
		}
	}
	for class, want := range map[checks.Class]string{ // of a page, a banner and records alike
		checks.DNSError:     "the name does not exist, has nothing of what was asked for, or could not be looked up",
		checks.BodyMismatch: "an answer came, but not what should be in it",
	} {
		if got := waterfall.Meaning(class); got != want {
			t.Errorf("%s: got %q, want %q", class, got, want)
		}
	}
	if got := waterfall.Meaning("new"); got != "new" {
		t.Errorf("got %q, want the class itself", got)
	}
}
