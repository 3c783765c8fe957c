package server

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"varde/coordinator/internal/identity"
	"varde/coordinator/internal/journal"
	"varde/coordinator/internal/presence"
)

// told is what operators are told at a path.
func told(s *Server, path string) (status int, body string) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "127.0.0.1:8081"
	w := httptest.NewRecorder()
	s.ops.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestFullDiskIsNotReady: a journal that refuses what probes send is said to,
// everywhere where somebody may look.
func TestFullDiskIsNotReady(t *testing.T) {
	s := opened(t, configured(t, small))
	if code, body := told(s, "/readyz"); code != http.StatusOK {
		t.Fatalf("before: %d, %s", code, body)
	}
	if err := s.journal.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	s.journal, err = journal.Open(t.Context(), journal.Options{
		Dir: filepath.Join(s.opts.Config.Data, "journal"), Reserve: 1 << 60, NoSync: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if code, body := told(s, "/readyz"); code != http.StatusServiceUnavailable || !strings.HasPrefix(body, "not ready: journal keeps nothing new: disk of ") {
		t.Errorf("readyz: %d, %s", code, body)
	}
	if code, body := told(s, "/healthz"); code != http.StatusOK {
		t.Errorf("healthz: %d, %s: a restart would mend nothing", code, body)
	}
	_, metrics := told(s, "/metrics")
	for _, want := range []string{"\nvarde_ready 0\n", "\nvarde_data_free_bytes ", `varde_history_missed_messages_total{reader="told"} 0`, "left out because their times make no sense or nobody configured their check."} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
	status, err := s.Status(t.Context())
	if err != nil || len(status.Notices) != 1 || !strings.HasPrefix(status.Notices[0], "not ready: journal keeps nothing new: ") {
		t.Errorf("status: %q, %v", status.Notices, err)
	}
}

// TestFailedReloadIsTold: until a configuration is in force again.
func TestFailedReloadIsTold(t *testing.T) {
	s := opened(t, configured(t, small))
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, "\nvarde_config_last_reload_successful 1\n"},
		{errors.New("coordinator.yaml:3:1: regions: none"), "\nvarde_config_last_reload_successful 0\n"},
		{nil, "\nvarde_config_last_reload_successful 1\n"},
	} {
		s.Reloaded(c.err)
		status, err := s.Status(t.Context())
		if err != nil || (status.ReloadError == "") != (c.err == nil) || c.err != nil && status.ReloadError != c.err.Error() {
			t.Errorf("status: %q, %v, want %v", status.ReloadError, err, c.err)
		}
		if _, metrics := told(s, "/metrics"); !strings.Contains(metrics, c.want) || !strings.Contains(metrics, "\nvarde_config_last_reload_success_timestamp_seconds ") {
			t.Errorf("metrics lack %q", c.want)
		}
	}
}

// TestReloadNamesWhatNeedsARestart: and keeps what is in force.
func TestReloadNamesWhatNeedsARestart(t *testing.T) {
	c := configured(t, small)
	s := opened(t, c)
	var log bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	c.Data, c.Listen.Public = s.current().Data, "198.51.100.1:80"
	if err := s.Reload(c); err != nil {
		t.Fatal(err)
	}
	want := `msg="key needs a restart to change" key=listen.public got=198.51.100.1:80 in_force=198.51.100.1:8080`
	if !strings.Contains(log.String(), want) || strings.Count(log.String(), "restart") != 1 {
		t.Errorf("got %s\nwant one line with %s", &log, want)
	}
	if got := s.current().Listen.Public; got != "198.51.100.1:8080" {
		t.Errorf("listen.public is now %s", got)
	}
}

// TestInvitationsEnd: the list says which are good, and who gets a new one that
// the old one is not.
func TestInvitationsEnd(t *testing.T) {
	r := roster{opened(t, configured(t, small))}
	for i, want := range []bool{false, true} {
		inv, err := r.AddProbe(t.Context(), NewProbe{Name: "osl-1", Region: "eu-north", TTL: time.Hour})
		if err != nil || inv.Replaced != want {
			t.Errorf("invitation %d: replaced %v, %v, want %v", i, inv.Replaced, err, want)
		}
	}
	probes, err := r.Probes(t.Context())
	if err != nil || len(probes) != 1 || probes[0].State != presence.Invited {
		t.Errorf("got %+v, %v, want one that is invited", probes, err)
	}
	if got := invitation(identity.Pending{Expires: time.Now()}); got != presence.Expired {
		t.Errorf("at its end: %s", got)
	}
}
