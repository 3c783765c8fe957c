package roundtrip

import (
	"net/mail"
	"strings"
	"testing"
	"time"

	"varde/checks"
)

// sample is a mail as it is written.
func sample() (m Mail, key []byte) {
	key = []byte(strings.Repeat("k", KeySize))
	m = Mail{
		ID: strings.Repeat("0123456789abcdef", 2), Check: "mail-loop", Probe: "osl-1",
		From: "probe@example.net", To: "probe@example.net", Written: time.Unix(1, 5), Late: time.Minute,
	}
	m.Token = sign(key, m)
	return m, key
}

// TestTokenCoversEverything: no part of a mail can be changed without its key.
func TestTokenCoversEverything(t *testing.T) {
	m, key := sample()
	want, _ := parseToken(m.Token)
	if !want.signedBy(key, m.Written, "PROBE@example.net") || len(m.Token) != 32+1+5+1+9+1+32 {
		t.Errorf("the token %q is not its own", m.Token)
	}
	for name, change := range map[string]func(*Mail){
		"id":      func(m *Mail) { m.ID = strings.Repeat("0", 32) },
		"probe":   func(m *Mail) { m.Probe = "osl-2" },
		"check":   func(m *Mail) { m.Check = "other" },
		"written": func(m *Mail) { m.Written = m.Written.Add(1) },
		"to":      func(m *Mail) { m.To = "other@example.net" },
	} {
		other := m
		change(&other)
		if got, _ := parseToken(sign(key, other)); got.mac == want.mac {
			t.Errorf("%s is not covered", name)
		}
	}
	if want.signedBy(make([]byte, KeySize), m.Written, m.To) {
		t.Error("another key signs the same")
	}
}

func FuzzToken(f *testing.F) {
	m, key := sample()
	f.Add(m.Token)
	f.Add("a.b.c.d")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		token, ok := parseToken(s)
		if ok && (token.String() != s || !checks.ValidID(token.probe) || len(token.id) != 32) {
			t.Errorf("%q is read as %+v", s, token)
		}
		if ok && s != m.Token && token.signedBy(key, m.Written, m.To) {
			t.Errorf("%q is signed", s)
		}
	})
}

func FuzzStamp(f *testing.F) {
	f.Add("946688400000000000")
	f.Add("-1")
	f.Add("007")
	f.Fuzz(func(t *testing.T, s string) {
		if at, ok := parseStamp(s); ok && stamp(at) != s {
			t.Errorf("%q is read as %q", s, stamp(at))
		}
	})
}

// FuzzLetter: whatever a mailbox holds is read or refused, and only the mail is the
// mail.
func FuzzLetter(f *testing.F) {
	m, _ := sample()
	header, _, _ := strings.Cut(m.message(), "\r\n\r\n")
	f.Add(header + "\r\n\r\n")
	f.Add("Authentication-Results: a; spf=pass (x\r\n y) ; dkim=fail\r\n" + header + "\r\n\r\n")
	f.Add("Received: x\r\n" + header[:len(header)/2])
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		l, ok := read(s)
		if !ok {
			return
		}
		if l.unlike(&m) == "" && (!strings.Contains(s, m.Token) || !strings.Contains(s, stamp(m.Written))) {
			t.Errorf("%q is the mail", s)
		}
		a := arrival(found{letter: l}, false)
		for _, word := range []string{a.SPF, a.DKIM, a.DMARC} {
			if word != "" && !resultPattern.MatchString(word) {
				t.Errorf("result %q", word)
			}
		}
	})
}

// TestHeaderThatWasCut: what stands whole before the cut is read.
func TestHeaderThatWasCut(t *testing.T) {
	m, _ := sample()
	header, _, _ := strings.Cut(m.message(), "\r\n\r\n")
	if l, ok := read(header + "\r\nX-Long: " + strings.Repeat("x", 100)); !ok || l.unlike(&m) != "" {
		t.Errorf("got %+v %v, want the mail", l, ok)
	}
	if _, ok := read(header[:strings.Index(header, "X-Probe-Sent")+20]); ok {
		t.Error("half a header is read")
	}
}

func TestAuthentication(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers []string
		want    Arrival
	}{
		{"none", nil, Arrival{}},
		{"nothing said", []string{"mx.example.net; none"}, Arrival{}},
		{"all", []string{"mx.example.net; spf=pass smtp.mailfrom=a@b; dkim=pass header.d=b; dmarc=pass header.from=b"}, Arrival{SPF: "pass", DKIM: "pass", DMARC: "pass"}},
		{"version", []string{"mx.example.net 1; spf=softfail"}, Arrival{SPF: "softfail"}},
		{"comments", []string{"mx (us; them) ; spf=fail (a; b=c (d) \\) e) smtp.mailfrom=x; dmarc=none (p=NONE)"}, Arrival{SPF: "fail", DMARC: "none"}},
		{"one good signature", []string{"mx; dkim=fail header.d=a; dkim=pass header.d=b; dkim=neutral"}, Arrival{DKIM: "pass"}},
		{"a header for each", []string{"mx; dkim=pass", "MX; spf=none", "mx; dmarc=fail"}, Arrival{SPF: "none", DKIM: "pass", DMARC: "fail"}},
		{"another server's", []string{"mx; dkim=fail", "elsewhere; spf=pass", "mx; dmarc=pass"}, Arrival{DKIM: "fail"}},
		{"not a header", []string{"mx; ????; spf=pass"}, Arrival{}},
		{"no words", []string{"mx; spf=<b>; dkim=" + strings.Repeat("x", 40)}, Arrival{}},
		{"another version", []string{"mx 2; spf=pass", "mx; spf=pass"}, Arrival{}},
	} {
		var a Arrival
		a.authentication(mail.Header{"Authentication-Results": tt.headers})
		if a != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, a, tt.want)
		}
	}
}
