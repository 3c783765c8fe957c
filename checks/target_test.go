package checks_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
)

func TestFloor(t *testing.T) {
	login := &checks.Login{User: "a", Password: checks.Secret{Name: "a"}}
	for _, tt := range []struct {
		target checks.Target
		want   time.Duration
	}{
		{checks.Target{Kind: checks.DNS}, time.Minute},
		{checks.Target{Kind: checks.HTTPS}, 3 * time.Minute},
		{checks.Target{Kind: checks.IMAP}, 3 * time.Minute},
		{checks.Target{Kind: checks.IMAP, Login: login}, 5 * time.Minute},
		{checks.Target{Kind: checks.RoundTrip}, 10 * time.Minute},
		{checks.Target{Kind: checks.RoundTrip, Consent: true}, 5 * time.Second},
	} {
		if got := tt.target.Floor(); got != tt.want {
			t.Errorf("%s, login %v, consent %v: got %s, want %s", tt.target.Kind, tt.target.Login != nil, tt.target.Consent, got, tt.want)
		}
	}
}

// TestNameSecrets names every secret once, and changes nothing of what it was
// given.
func TestNameSecrets(t *testing.T) {
	login := func() *checks.Login { return &checks.Login{User: "a", Password: checks.Secret{File: "f"}} }
	target := checks.Target{
		ID: "x", Login: login(),
		WebOptions:  checks.WebOptions{Client: &checks.ClientCertificate{Key: checks.Secret{File: "k"}}},
		MailOptions: checks.MailOptions{Submit: &checks.Leg{Login: login()}, Receive: &checks.Leg{Login: login()}},
	}
	want := map[string]string{
		"login.password": "x", "submit.login.password": "x/submit", "receive.login.password": "x/receive", "client.key": "x/client",
	}
	got := map[string]string{}
	for field, s := range target.NameSecrets().Secrets() {
		got[field] = s.Name
	}
	for field, name := range want {
		if got[field] != name || len(got) != len(want) {
			t.Errorf("%s: got %q, want %q", field, got[field], name)
		}
	}
	for field, s := range target.Secrets() {
		if s.Name != "" {
			t.Errorf("%s of the original has the name %q", field, s.Name)
		}
	}
}

// TestOnly refuses every option and every expectation that is not named.
func TestOnly(t *testing.T) {
	target := checks.Target{
		Login: &checks.Login{}, CA: &checks.Authority{},
		WebOptions: checks.WebOptions{Method: "GET", Headers: map[string]string{"a": "b"}, HTTP: "2", Redirects: 1, MaxBody: 1, Client: &checks.ClientCertificate{}},
		MailOptions: checks.MailOptions{
			From: "a", To: "b", Domain: "c", Submit: &checks.Leg{}, Receive: &checks.Leg{}, Route: "d", Late: time.Second,
		},
	}
	options := "login ca method headers http redirects max_body client from to domain submit receive route late"
	expect := checks.Expect{Mailbox: "a", Newest: true, Status: "b", Body: "c", BodyRegexp: "d", Banner: "e", Answers: []string{"f"}}
	expected := "mailbox newest status body body_regexp banner answers"
	for name, tt := range map[string]struct {
		all    string
		under  string
		refuse func(...string) error
	}{
		"options": {options, "", target.Only}, "expectations": {expected, "expect.", expect.Only},
	} {
		all := strings.Fields(tt.all)
		if err := tt.refuse(all...); err != nil {
			t.Errorf("%s: %v, want none refused", name, err)
		}
		for i, field := range all {
			rest := slices.Delete(slices.Clone(all), i, i+1)
			want := tt.under + field + ": given, expected none: this kind does not read it"
			if err := tt.refuse(rest...); err == nil || err.Error() != want {
				t.Errorf("%s: got %v, want %s", name, err, want)
			}
		}
	}
	if err := errors.Join(checks.Target{URL: "x", Every: time.Second}.Only(), checks.Expect{}.Only()); err != nil {
		t.Errorf("nothing given: %v", err)
	}
}
