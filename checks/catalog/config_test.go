package catalog_test

import (
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/checks/catalog"
)

// secret is a login whose password has a name.
func secret(user string) *checks.Login {
	return &checks.Login{User: user, Password: checks.Secret{Name: "x"}}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		target checks.Target
		want   string
	}{
		{"https", checks.Target{Kind: "https", URL: "https://example.net/a?b=c", Expect: checks.Expect{Status: "204", Body: "x"}}, ""},
		{"http", checks.Target{Kind: "https", URL: "http://example.net:8080"}, ""},
		{"imaps", checks.Target{Kind: "imap", URL: "imaps://example.net", Login: secret("u"), Expect: checks.Expect{Mailbox: "Entwürfe"}}, ""},
		{"address", checks.Target{Kind: "imap", URL: "imap://[2001:db8::1]:1143"}, ""},
		{"submission", checks.Target{Kind: "smtp", URL: "submission://example.net."}, ""},
		{"unknown kind", checks.Target{Kind: "ftp", URL: "ftp://example.net"}, `kind: "ftp", expected one of [dns https imap pop3 roundtrip smtp tcp]`},
		{"no kind", checks.Target{URL: "https://example.net"}, `kind: "", expected one of [dns https imap pop3 roundtrip smtp tcp]`},
		{"another kind's scheme", checks.Target{Kind: "imap", URL: "https://example.net"}, `url: scheme "https", expected one of imap, imaps`},
		{"no scheme", checks.Target{Kind: "smtp", URL: "example.net"}, `url: "example.net", expected scheme://host`},
		{"user in the URL", checks.Target{Kind: "smtp", URL: "smtp://u:p@example.net"}, `url: holds a user, expected it under login`},
		{"port beyond", checks.Target{Kind: "smtp", URL: "smtp://example.net:70000"}, `url: port "70000", expected 1 to 65535`},
		{"port zero", checks.Target{Kind: "smtp", URL: "smtp://example.net:0"}, `url: port "0", expected 1 to 65535`},
		{"host with a space", checks.Target{Kind: "smtp", URL: "smtp://exa%20mple.net"}, `url: "smtp://exa%20mple.net", expected scheme://host`},
		{"host beyond ASCII", checks.Target{Kind: "imap", URL: "imaps://bücher.example"}, `url: host "bücher.example", expected a name in ASCII or an address`},
		{"path", checks.Target{Kind: "imap", URL: "imaps://example.net/INBOX"}, `url: "imaps://example.net/INBOX", expected nothing after the host`},
		{"query", checks.Target{Kind: "smtp", URL: "smtps://example.net?x=1"}, `url: "smtps://example.net?x=1", expected nothing after the host`},
		{"fragment", checks.Target{Kind: "https", URL: "https://example.net/#top"}, `url: fragment "top", expected none: it is never sent`},
		{"status for imap", checks.Target{Kind: "imap", URL: "imaps://example.net", Expect: checks.Expect{Status: "200"}}, "expect.status: given, expected none: this kind does not read it"},
		{"body for smtp", checks.Target{Kind: "smtp", URL: "smtps://example.net", Expect: checks.Expect{Body: "x"}}, "expect.body: given, expected none: this kind does not read it"},
		{"mailbox for https", checks.Target{Kind: "https", URL: "https://example.net", Expect: checks.Expect{Mailbox: "x"}}, "expect.mailbox: given, expected none: this kind does not read it"},
		{"mailbox without login", checks.Target{Kind: "imap", URL: "imaps://example.net", Expect: checks.Expect{Mailbox: "x"}}, "expect.mailbox: given without a login, expected both"},
		{"newest without mailbox", checks.Target{Kind: "imap", URL: "imaps://example.net", Login: secret("u"), Expect: checks.Expect{Newest: true}}, "expect.newest: given without a mailbox, expected both"},
		{"newest for pop3", checks.Target{Kind: "pop3", URL: "pop3s://example.net", Login: secret("u"), Expect: checks.Expect{Newest: true}}, "expect.newest: given, expected none: this kind does not read it"},
		{"method for imap", checks.Target{Kind: "imap", URL: "imaps://example.net", WebOptions: checks.WebOptions{Method: "GET"}}, "method: given, expected none: this kind does not read it"},
		{"mailbox on two lines", checks.Target{Kind: "imap", URL: "imaps://example.net", Login: secret("u"), Expect: checks.Expect{Mailbox: "a\r\nb"}}, `expect.mailbox: "a\r\nb", expected a name of at most 512 bytes on one line`},
		{"status beyond", checks.Target{Kind: "https", URL: "https://example.net", Expect: checks.Expect{Status: "600"}}, `expect.status: "600", expected statuses of 200 to 599 such as 200, 2xx or 200-299`},
		{"login for http", checks.Target{Kind: "https", URL: "http://example.net", Login: secret("u")}, "login: given for http://, expected it with https:// only"},
		{"user on two lines", checks.Target{Kind: "imap", URL: "imaps://example.net", Login: secret("u\r\nv")}, `login.user: "u\r\nv", expected 1 to 1024 bytes on one line`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.target.ID, tt.target.Every = "check", time.Minute
			got := ""
			if err := catalog.Validate(tt.target); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestValidateTellsEveryFaultAtOnce(t *testing.T) {
	err := catalog.Validate(checks.Target{
		ID: "Big", Kind: "imap", URL: "http://u@example.net/x", Every: time.Second, Expect: checks.Expect{Body: "x"},
	})
	var fields []string
	for line := range strings.Lines(err.Error()) {
		field, _, _ := strings.Cut(line, ":")
		fields = append(fields, field)
	}
	if got := strings.Join(fields, " "); got != "id url every expect.body" {
		t.Errorf("faults in %s, want each once: id url every expect.body\n%v", got, err)
	}
}

func TestNewRefusesWhatValidateDoes(t *testing.T) {
	for _, kind := range catalog.Kinds() {
		c, err := catalog.New(checks.Target{Kind: kind, URL: "gopher://example.net"}, checks.Env{})
		if c != nil || err == nil || !strings.Contains("\n"+err.Error(), "\nurl: ") {
			t.Errorf("%s: got %v, %v, want a fault in url", kind, c, err)
		}
	}
}

func TestPasswordsThatCannotBeUsed(t *testing.T) {
	target := checks.Target{Kind: "imap", URL: "imaps://example.net", Login: secret("u")}
	for password, want := range map[string]string{
		"":                        "login.password: 0 bytes long, expected 1 to 1024 and none of them zero",
		"a\x00b":                  "login.password: 3 bytes long, expected 1 to 1024 and none of them zero",
		strings.Repeat("x", 2000): "login.password: 2000 bytes long, expected 1 to 1024 and none of them zero",
	} {
		_, err := catalog.New(target, checks.Env{Password: func(string) (string, error) { return password, nil }})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := catalog.New(target, checks.Env{}); err == nil || err.Error() != "login: this program may not log in" {
		t.Errorf("got %v, want a refusal to log in", err)
	}
}

func TestFromURL(t *testing.T) {
	for _, tt := range []struct{ url, kind, id string }{
		{"https://www.example.net/login", "https", "https-www-example-net"},
		{"http://192.0.2.1:8080", "https", "http-192-0-2-1-8080"},
		{"imaps://Mail.example.net", "imap", "imaps-mail-example-net"},
		{"imap://[2001:db8::1]", "imap", "imap-2001-db8-1"},
		{"pop3s://a", "pop3", "pop3s-a"},
		{"smtps://a", "smtp", "smtps-a"},
		{"submission://" + strings.Repeat("a", 80) + ".example", "smtp", "submission-" + strings.Repeat("a", 52)},
		{"smtp://mx_1.example.net", "smtp", "smtp-mx-1-example-net"},
		{"dns:///example.net?type=MX", "dns", "dns-example-net"},
		{"dns://example.net", "dns", "dns-example-net"},
		{"dns://192.0.2.53/_25._tcp.mx.example.net?type=TLSA", "dns", "dns-192-0-2-53-25-tcp-mx-example-net"},
		{"tcp://192.0.2.1:22", "tcp", "tcp-192-0-2-1-22"},
	} {
		got, err := catalog.FromURL(tt.url)
		if err != nil || string(got.Kind) != tt.kind || got.ID != tt.id || got.URL != tt.url {
			t.Errorf("%s: got %+v, %v, want kind %s, id %s", tt.url, got, err, tt.kind, tt.id)
		}
	}
	for url, want := range map[string]string{
		"mail.example.net":      `url: "mail.example.net", expected scheme://host`,
		"imaps:":                `url: "imaps:", expected scheme://host`,
		"localhost:25":          `url: "localhost:25", expected scheme://host`,
		"dns:":                  `url: "dns:", expected scheme://host`,
		"dns:///":               `url: name "", expected one in ASCII: dns://server/name or dns:///name`,
		"tcp://example.net":     `url: "tcp://example.net", expected a port: tcp://host:port`,
		"gopher://example.net":  `url: scheme "gopher", expected one of dns, http, https, imap, imaps, pop3, pop3s, smtp, smtps, submission, tcp, tls`,
		"imaps://example.net/x": `url: "imaps://example.net/x", expected nothing after the host`,
	} {
		if _, err := catalog.FromURL(url); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", url, err, want)
		}
	}
}

func FuzzFromURL(f *testing.F) {
	for _, s := range []string{"https://example.net/a?b", "imaps://[::1]:993", "smtp://%41", "x://", "imap://user@h", "http://h:99999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		target, err := catalog.FromURL(raw)
		if err != nil {
			return
		}
		if err := catalog.Validate(target); err != nil {
			t.Errorf("%q was taken but is not valid: %v", raw, err)
		}
		if _, err := catalog.New(target, checks.Env{}); err != nil {
			t.Errorf("%q was taken but cannot be built: %v", raw, err)
		}
	})
}
