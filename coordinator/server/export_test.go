package server

import (
	"strings"
	"testing"

	"varde/checks"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/identity"
	"varde/coordinator/internal/recording"
)

func TestUnheardOf(t *testing.T) {
	c := &config.Config{
		Services: []config.Service{{ID: "imap"}}, Regions: []config.Region{{ID: "eu-north"}, {ID: "oceania"}},
		Checks: []config.Check{{Target: checks.Target{ID: "imap-login"}}},
	}
	roster := []identity.Entry{{Name: "osl-1"}}
	for want, w := range map[string]recording.Wanted{
		"":                                  {Check: "imap-login", Service: "imap", Region: "oceania", Probe: "osl-1"},
		`--check: got "imap"`:               {Check: "imap"},
		`--service: got "mail"`:             {Check: "imap-login", Service: "mail"},
		`expected one of eu-north, oceania`: {Region: "eu"},
		`--probe: got "osl-2"`:              {Probe: "osl-2"},
	} {
		err := unheardOf(w, c, roster)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: got %v, want %q", w, err, want)
		}
	}
}
