package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
)

// TestWithoutLogin: what needs a login is not asked for, nor expected.
func TestWithoutLogin(t *testing.T) {
	login := &checks.Login{User: "probe"}
	for _, c := range []struct{ target, want checks.Target }{
		{
			checks.Target{Kind: checks.IMAP, Login: login, Expect: checks.Expect{Mailbox: "INBOX", Newest: true}},
			checks.Target{Kind: checks.IMAP},
		},
		{
			checks.Target{Kind: checks.SMTP, Login: login, MailOptions: checks.MailOptions{From: "a@example.net", To: "b@example.net"}},
			checks.Target{Kind: checks.SMTP},
		},
		{
			checks.Target{Kind: checks.HTTPS, Login: login, Expect: checks.Expect{Body: "inbox"}},
			checks.Target{Kind: checks.HTTPS, Expect: checks.Expect{Status: "200, 3xx, 401, 403"}},
		},
		{
			checks.Target{Kind: checks.HTTPS, Login: login, Expect: checks.Expect{Status: "204", BodyRegexp: "^$"}},
			checks.Target{Kind: checks.HTTPS, Expect: checks.Expect{Status: "204, 3xx, 401, 403"}},
		},
	} {
		got, ok := withoutLogin(c.target)
		if diff := cmp.Diff(c.want, got); diff != "" || !ok {
			t.Errorf("%s, %t (-want +got):\n%s", c.target.Kind, ok, diff)
		}
		if err := got.Expect.Status.Validate(); err != nil {
			t.Errorf("%s: %v", c.target.Kind, err)
		}
	}
	if _, ok := withoutLogin(checks.Target{Kind: checks.RoundTrip}); ok {
		t.Error("a round trip without logins")
	}
}
