package server

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"varde/checks"
	"varde/coordinator/internal/config"
)

// TestProvidersFollowTheConfiguration: the people of a provider come in by the token
// of the configuration in force, and a new one that cannot be read changes nothing.
func TestProvidersFollowTheConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const first, second = "the first token of fjord", "the second token of fjord"
	write(first)
	c := configured(t, strings.Replace(small, "{id: imap, ", "{id: imap, provider: fjord, ", 1))
	c.Providers = []config.Provider{{ID: "fjord", Operators: &checks.Secret{File: file}}}
	s := opened(t, c)
	services := func(token string) string {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/services", nil)
		r.Host = "127.0.0.1:8081"
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.ops.ServeHTTP(w, r)
		return w.Body.String()
	}
	seesOwn := func(token string) bool { return !strings.Contains(services(token), `"id":"new"`) }
	if !seesOwn(first) || seesOwn(second) { // on loopback everybody is an operator
		t.Fatalf("fjord sees %s, somebody else %s", services(first), services(second))
	}
	write("short")
	if err := s.Reload(c); err == nil || !strings.Contains(err.Error(), "providers[0].operators.file") || !seesOwn(first) {
		t.Errorf("a token that is too short: %v", err)
	}
	write(second)
	if err := s.Reload(c); err != nil || !seesOwn(second) || seesOwn(first) {
		t.Errorf("after a new token: %v", err)
	}
}
