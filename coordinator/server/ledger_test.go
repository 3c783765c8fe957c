package server

import (
	"net/http"
	"strings"
	"testing"
)

// TestLedgerOfANewCoordinator: there is nothing yet, and that is what is said.
func TestLedgerOfANewCoordinator(t *testing.T) {
	s := opened(t, configured(t, small))
	for path, want := range map[string]string{
		"/api/v1/mail":        `"routes":[],"mails":[]}`,
		"/api/v1/annotations": "[]",
		"/api/v1/findings":    "[]",
		"/mail":               "No round trip is configured, so no mail is followed.",
	} {
		if code, body := told(s, path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, %s", path, code, body)
		}
	}
	if _, metrics := told(s, "/metrics"); strings.Contains(metrics, "\nvarde_check_certificate_expiry_timestamp_seconds{") {
		t.Error("a certificate that nobody saw has an end")
	}
	if page := asked(s.public, "/service/imap").Body.String(); strings.Contains(page, "test mail") {
		t.Error("the public page promises something of mails")
	}
}
