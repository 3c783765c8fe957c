package smtp_test

import (
	"testing"
	"time"

	"varde/checks"
	"varde/checks/smtp"
)

func TestValidateEnvelope(t *testing.T) {
	for _, tt := range []struct {
		name, url string
		mail      checks.MailOptions
		web       checks.WebOptions
		want      string
	}{
		{name: "both addresses", url: "smtps://a", mail: checks.MailOptions{From: "a@b", To: "c@d"}},
		{name: "a domain", url: "smtp://a", mail: checks.MailOptions{Domain: "example.net"}},
		{
			name: "sender alone", url: "smtps://a", mail: checks.MailOptions{From: "a@b"},
			want: `to: "", expected from and to, each an address such as probe@example.net`,
		},
		{
			name: "two commands", url: "smtps://a", mail: checks.MailOptions{From: "a@b>\r\nDATA", To: "c@d"},
			want: `from: "a@b>\r\nDATA", expected from and to, each an address such as probe@example.net`,
		},
		{
			name: "a domain that is none", url: "smtp://a", mail: checks.MailOptions{Domain: "example net"},
			want: `domain: "example net", expected a domain in ASCII such as example.net`,
		},
		{
			name: "a domain of a submission", url: "submission://a", mail: checks.MailOptions{Domain: "example.net"},
			want: `domain: given for submission://, expected only for smtp://, where mail for a domain comes in`,
		},
		{
			name: "a domain of an address", url: "smtp://[2001:db8::25]", mail: checks.MailOptions{Domain: "example.net"},
			want: `domain: given for the address 2001:db8::25, expected the name of a mail exchanger in url`,
		},
		{
			name: "of a round trip", url: "smtps://a", mail: checks.MailOptions{Late: time.Minute},
			want: `late: given, expected none: this kind does not read it`,
		},
		{
			name: "of a page", url: "smtps://a", web: checks.WebOptions{Method: "GET"},
			want: `method: given, expected none: this kind does not read it`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := smtp.Validate(checks.Target{URL: tt.url, MailOptions: tt.mail, WebOptions: tt.web}); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
