package checks_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"varde/checks"
)

// TestMailEventJSON: until a mail is found there is no delay, which is not one
// of zero.
func TestMailEventJSON(t *testing.T) {
	sent := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	e := checks.MailEvent{
		Mail: "0a1b", Check: "mail-loop", Service: "mail", Route: "internal", Probe: "osl-1", Region: "eu-north",
		Sent: sent, State: checks.MailLate,
	}
	const head = `{"mail":"0a1b","check":"mail-loop","service":"mail","route":"internal","probe":"osl-1","region":"eu-north","sent":"2026-11-22T10:00:00Z",`
	for want, event := range map[string]checks.MailEvent{
		head + `"found":null,"delay_s":null,"state":"late","junk":false}`: e,
		head + `"found":"2026-11-22T10:47:00.5Z","delay_s":2820.5,"state":"late","junk":true,"spf":"pass"}`: {
			Mail: e.Mail, Check: e.Check, Service: e.Service, Route: e.Route, Probe: e.Probe, Region: e.Region,
			Sent: sent, Found: sent.Add(47*time.Minute + 500*time.Millisecond), State: e.State, Junk: true, SPF: "pass",
		},
	} {
		if got, err := json.Marshal(event); err != nil || string(got) != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
	// A clock that was set back between the two makes no delay below zero.
	if back := (checks.MailEvent{Sent: sent, Found: sent.Add(-time.Hour)}); back.Delay() != 0 {
		t.Errorf("delay %s, want none", back.Delay())
	}
}

func TestFound(t *testing.T) {
	got := checks.Found("mx_missing", "%s\r\n\x1b%s", "a", strings.Repeat("é", 300))
	if want := "a   " + strings.Repeat("é", checks.DetailMax-5) + "…"; got.Code != "mx_missing" || got.Detail != want {
		t.Errorf("got %+v, want %q", got, want)
	}
}
