package checks_test

import (
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
