package sasl_test

import (
	"encoding/base64"
	"testing"

	"varde/checks"
	"varde/checks/sasl"
)

func TestInitial(t *testing.T) {
	at := checks.Endpoint{Host: "server.example.com", Port: 143}
	as := checks.Credentials{User: "user,=@example.com", Password: "vF9dft4qmT"}
	for _, tt := range []struct {
		mechanism checks.Mechanism
		want      string
	}{
		{checks.MechanismPlain, "\x00user,=@example.com\x00vF9dft4qmT"},
		{checks.MechanismXOAUTH2, "user=user,=@example.com\x01auth=Bearer vF9dft4qmT\x01\x01"},
		{
			checks.MechanismOAuthBearer,
			"n,a=user=2C=3D@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmT\x01\x01",
		},
	} {
		got, err := base64.StdEncoding.DecodeString(sasl.Initial(tt.mechanism, as, at))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.mechanism, got, err, tt.want)
		}
	}
	if sasl.Cancel() != "AQ==" {
		t.Errorf("cancel is %q, want AQ==", sasl.Cancel())
	}
}

func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		asked    checks.Mechanism
		offered  []string
		hasLogin bool
		want     checks.Mechanism
	}{
		{"", []string{"PLAIN", "XOAUTH2"}, true, checks.MechanismPlain},
		{"", nil, true, checks.MechanismLogin},
		{"", []string{"XOAUTH2"}, false, ""}, // a password is no token
		{checks.MechanismLogin, []string{"PLAIN"}, true, checks.MechanismLogin},
		{checks.MechanismLogin, []string{"PLAIN"}, false, ""},
		{checks.MechanismPlain, []string{"PLAIN"}, true, checks.MechanismPlain},
		{checks.MechanismPlain, nil, true, ""},
		{checks.MechanismXOAUTH2, []string{"XOAUTH2"}, false, checks.MechanismXOAUTH2},
		{checks.MechanismOAuthBearer, []string{"XOAUTH2"}, true, ""},
	} {
		got, err := sasl.Choose(tt.asked, tt.offered, tt.hasLogin)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q of %q: got %q, %v, want %q", tt.asked, tt.offered, got, err, tt.want)
		}
	}
}

func TestDecode(t *testing.T) {
	for words, want := range map[string]string{"AQ==": "\x01", " eyJ9 ": `{"}`, "": "", "what?": "", "e30": ""} {
		if got := sasl.Decode(words); got != want {
			t.Errorf("%q: got %q, want %q", words, got, want)
		}
	}
	for _, m := range checks.Mechanisms() {
		if got, want := sasl.Bearer(m), m == checks.MechanismXOAUTH2 || m == checks.MechanismOAuthBearer; got != want {
			t.Errorf("%s: got %v, want %v", m, got, want)
		}
	}
}
