package https_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/https"
)

func TestValidate(t *testing.T) {
	web := func(w checks.WebOptions) checks.Target { return checks.Target{WebOptions: w} }
	header := func(name, value string) checks.Target {
		return web(checks.WebOptions{Headers: map[string]string{name: value}})
	}
	login := func(user string, m checks.Mechanism) *checks.Login {
		return &checks.Login{User: user, Mechanism: m, Password: checks.Secret{Name: "x"}}
	}
	expect := func(e checks.Expect) checks.Target { return checks.Target{Expect: e} }
	many := map[string]string{}
	for i := range 33 {
		many[fmt.Sprintf("x-%d", i)] = "y"
	}
	for _, tt := range []struct {
		name   string
		target checks.Target
		want   string
	}{
		{"all that it reads", checks.Target{
			URL: "https://example.net/a?b=c", Login: login("u", checks.MechanismOAuthBearer), CA: &checks.Authority{},
			WebOptions: checks.WebOptions{
				Method: "POST", Headers: map[string]string{"accept": "text/html", "X-Debug": "1"}, HTTP: "2",
				Redirects: 10, MaxBody: 256 << 10, Client: &checks.ClientCertificate{},
			},
			Expect: checks.Expect{Status: "2xx, 304", BodyRegexp: "a+"},
		}, ""},
		{"without TLS", checks.Target{URL: "http://example.net", WebOptions: checks.WebOptions{HTTP: "1.1"}}, ""},
		{"method", web(checks.WebOptions{Method: "DELETE"}), `method: "DELETE", expected one of GET, HEAD, OPTIONS, POST`},
		{"method in small letters", web(checks.WebOptions{Method: "get"}), `method: "get", expected one of GET, HEAD, OPTIONS, POST`},
		{"version", web(checks.WebOptions{HTTP: "3"}), `http: "3", expected "1.1" or "2"`},
		{"HTTP/2 without TLS", checks.Target{URL: "http://example.net", WebOptions: checks.WebOptions{HTTP: "2"}}, `http: "2" without TLS, expected it with https:// only`},
		{"redirects", web(checks.WebOptions{Redirects: 11}), "redirects: 11, expected at most 10"},
		{"redirects below zero", web(checks.WebOptions{Redirects: -1}), "redirects: -1, expected at most 10"},
		{"body", web(checks.WebOptions{MaxBody: 256<<10 + 1}), "max_body: 262145, expected at most 262144 bytes"},
		{"body below zero", web(checks.WebOptions{MaxBody: -1}), "max_body: -1, expected at most 262144 bytes"},
		{"client without TLS", checks.Target{URL: "http://example.net", WebOptions: checks.WebOptions{Client: &checks.ClientCertificate{}}}, "client: given for http://, expected it with https:// only"},
		{"login without TLS", checks.Target{URL: "http://example.net", Login: login("u", "")}, "login: given for http://, expected it with https:// only"},
		{"mechanism", checks.Target{Login: login("u", "plain")}, `login.mechanism: "plain", expected "oauthbearer" or none on the web`},
		{"user with a colon", checks.Target{Login: login("u:v", "")}, `login.user: "u:v", expected none with a colon (RFC 7617)`},
		{"header's name", header("a b", "c"), `headers: "a b": not a name, expected a token of RFC 9110`},
		{"header without a name", header("", "c"), `headers: "": not a name, expected a token of RFC 9110`},
		{"header on two lines", header("a", "b\r\nc: d"), `headers: "a": its value has control characters, expected none`},
		{"header with a zero", header("a", "b\x00"), `headers: "a": its value has control characters, expected none`},
		{"secret", header("authorization", "Bearer x"), `headers: "authorization": holds a secret, expected it under login`},
		{"cookie", header("COOKIE", "x"), `headers: "COOKIE": holds a secret, expected it under login`},
		{"host", header("Host", "x"), `headers: "Host": given, expected none: it follows from the address and the method`},
		{"length", header("content-length", "5"), `headers: "content-length": given, expected none: it follows from the address and the method`},
		{"hop by hop", header("te", "trailers"), `headers: "te": given, expected none: it belongs to one connection`},
		{"compression", header("accept-encoding", "gzip"), `headers: "accept-encoding": given, expected none: nothing is decompressed`},
		{"a header twice", web(checks.WebOptions{Headers: map[string]string{"a": "b", "A": "c"}}), "is given twice, expected each name once"},
		{"33 headers", web(checks.WebOptions{Headers: many}), "headers: 33 of 287 bytes, expected at most 32 of 8192 bytes in all"},
		{"headers of 8 kB", header("a", strings.Repeat("x", 8<<10)), "headers: 1 of 8197 bytes, expected at most 32 of 8192 bytes in all"},
		{"status", expect(checks.Expect{Status: "700"}), `expect.status: "700", expected statuses of 200 to 599 such as 200, 2xx or 200-299`},
		{"text too long", expect(checks.Expect{Body: strings.Repeat("x", 1025)}), "expect.body: 1025 bytes long, expected at most 1024"},
		{"match too long", expect(checks.Expect{BodyRegexp: strings.Repeat("x", 1025)}), "expect.body_regexp: 1025 bytes long, expected at most 1024"},
		{"match that is none", expect(checks.Expect{BodyRegexp: "a(b"}), "expect.body_regexp: error parsing regexp: missing closing ): `a(b`, expected the syntax of Go's regexp"},
		{"match that costs much", expect(checks.Expect{BodyRegexp: strings.Repeat("(a|b){200}", 9)}), "is too large, expected fewer or smaller repetitions"},
		{"text and match", expect(checks.Expect{Body: "a", BodyRegexp: "b"}), "expect.body_regexp: given beside expect.body, expected one of the two"},
		{"text of HEAD", checks.Target{WebOptions: checks.WebOptions{Method: "HEAD"}, Expect: checks.Expect{Body: "a"}}, "expect.body: given with the method HEAD, whose answers have no body"},
		{"match of HEAD", checks.Target{WebOptions: checks.WebOptions{Method: "HEAD"}, Expect: checks.Expect{BodyRegexp: "a"}}, "expect.body_regexp: given with the method HEAD, whose answers have no body"},
		{"another kind's option", checks.Target{MailOptions: checks.MailOptions{From: "a@example.net"}}, "from: given, expected none: this kind does not read it"},
		{"another kind's expectation", expect(checks.Expect{Mailbox: "x"}), "expect.mailbox: given, expected none: this kind does not read it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.target.URL == "" {
				tt.target.URL = "https://example.net"
			}
			got := ""
			if err := https.Validate(tt.target); err != nil {
				got = err.Error()
				if _, ok := errors.AsType[*checks.FieldError](err); !ok {
					t.Errorf("got %T, want a *checks.FieldError", err)
				}
			}
			if !strings.HasSuffix(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestSecretsThatCannotBeUsed are refused when the check is built, in words that
// do not hold them.
func TestSecretsThatCannotBeUsed(t *testing.T) {
	bearer := checks.Target{Login: &checks.Login{User: "u", Mechanism: checks.MechanismOAuthBearer, Password: checks.Secret{Name: "x"}}}
	client := checks.Target{WebOptions: checks.WebOptions{Client: &checks.ClientCertificate{Certificate: checks.Authority{PEM: ct.NewCA().PEM()}, Key: checks.Secret{Name: "x"}}}}
	for _, tt := range []struct {
		name   string
		target checks.Target
		secret string
		want   string
	}{
		{"token on two lines", bearer, "hunter2\n", "login.password: has control characters, expected a token"},
		{"key that is none", client, "hunter2", "client: tls: failed to find any PEM data in key input, expected a certificate and its key as PEM"},
		{"key of another", client, pemKey(t, ct.NewCA().Certificate("x")), "client: tls: private key does not match public key, expected a certificate and its key as PEM"},
	} {
		tt.target.URL, tt.target.Every = "https://example.net", time.Minute
		_, err := https.New(tt.target, checks.Env{Password: func(string) (string, error) { return tt.secret, nil }})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
	if _, err := https.New(client, checks.Env{}); err == nil || !strings.Contains(err.Error(), "client: this program has no keys") {
		t.Errorf("got %v, want that there are no keys", err)
	}
}
