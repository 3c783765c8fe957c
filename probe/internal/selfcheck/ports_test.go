package selfcheck_test

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/probe/internal/selfcheck"
)

// host is a machine of a hoster, in a lab.
type host struct {
	*ct.Lab
	dir    string
	log    strings.Builder
	online bool
	ports  *selfcheck.Ports
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{Lab: ct.NewLab(), dir: t.TempDir()}
	h.start()
	return h
}

// start begins anew with what is on disk.
func (h *host) start() {
	h.ports = selfcheck.Open(selfcheck.Options{
		Dir: h.dir, Network: h.Client, Online: func() bool { return h.online },
		Logger: slog.New(slog.NewTextHandler(&h.log, nil)),
	})
}

// block drops what goes to the given ports, and counts it.
func (h *host) block(ports ...uint16) (dials func() int) {
	n := 0
	h.Rule(func(_, to netip.AddrPort, network string) ct.Effect {
		if network == "tcp" && slices.Contains(ports, to.Port()) {
			n++
			return ct.Drop
		}
		return ct.Pass
	})
	return func() int { return n }
}

// look connects to a port of the lab's server and has the result judged.
func (h *host) look(t *testing.T, port uint16) checks.Result {
	t.Helper()
	r := checks.Record(t.Context(), 10*time.Second, func(ctx context.Context, r *checks.Recorder) error {
		return r.Dial(ctx, h.Client, checks.IPv4, checks.Endpoint{Host: ct.LabName, Port: port})
	})
	return h.ports.Judge(t.Context(), r)
}

// want fails unless the result is of the class, and unknown or down as that is.
func want(t *testing.T, when string, r checks.Result, class checks.Class) {
	t.Helper()
	if r.Class != class || r.Outcome != class.Outcome() {
		t.Errorf("%s: got %s %s: %s, want %s", when, r.Outcome, r.Class, r.Detail, class)
	}
}

// TestPortThatNeverWorked is nobody's fault but our host's, until it works once,
// and that is not forgotten.
func TestPortThatNeverWorked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.Listen(t, ":443")
		h.block(25, 587, 2525)
		want(t, "nothing else works either", h.look(t, 25), checks.ConnectTimeout)
		want(t, "the web", h.look(t, 443), "")
		r := h.look(t, 25)
		want(t, "the web works", r, checks.OwnNetwork)
		if r.FailedPhase != checks.Connect || r.Detail != "outbound port 25 has never worked from this probe: its hoster may block it (connect_timeout)" {
			t.Errorf("got %s: %s", r.FailedPhase, r.Detail)
		}
		want(t, "a port that is not for mail", h.look(t, 2525), checks.ConnectTimeout)
		if got := h.ports.Blocked(); len(got) != 1 || got[0].Port != 25 || time.Since(got[0].Since) > time.Minute {
			t.Errorf("blocked: got %v, want port 25", got)
		}
		time.Sleep(11 * time.Minute)
		want(t, "the web was long ago", h.look(t, 25), checks.OwnNetwork)
		want(t, "of another port nothing is known", h.look(t, 587), checks.ConnectTimeout)
		h.online = true
		h.start()
		want(t, "after a restart, with a coordinator", h.look(t, 25), checks.OwnNetwork)
		if n := strings.Count(h.log.String(), "outbound port has never worked from here"); n != 1 {
			t.Errorf("told %d times of the port, want once:\n%s", n, h.log.String())
		}

		h.Listen(t, ":25")
		h.block()
		want(t, "not blocked", h.look(t, 25), "")
		h.block(25)
		want(t, "it has worked", h.look(t, 25), checks.ConnectTimeout)
		h.start()
		want(t, "it has worked before a restart", h.look(t, 25), checks.ConnectTimeout)
		if got := h.ports.Blocked(); len(got) != 0 {
			t.Errorf("blocked: got %v, want none", got)
		}
	})
}

// TestWhoeverAnswersIsThere: a refusal is an answer, and a port that prohibits is
// none.
func TestWhoeverAnswersIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.online = true
		for effect, class := range map[ct.Effect]checks.Class{
			ct.Refuse: checks.ConnectRefused, ct.Reset: checks.ConnectReset, ct.NoRoute: checks.OwnNetwork,
		} {
			h.Rule(func(_, _ netip.AddrPort, network string) ct.Effect {
				if network == "tcp" {
					return effect
				}
				return ct.Pass
			})
			want(t, "from the start", h.look(t, 587), class)
		}
	})
}

// TestControlDecides: a control target on the port that answers shows that the
// port is open, and one that does not is asked seldom.
func TestControlDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.online = true
		h.ports.SetControls([]string{"https://203.0.113.9/", "tcp://203.0.113.9:443", "tcp://203.0.113.9:25", "tcp://203.0.113.9:587"})
		control := h.Host(netip.MustParseAddr("203.0.113.9"))
		l, err := control.Listen("tcp", ":587")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		h.Rule(func(_, to netip.AddrPort, network string) ct.Effect {
			if network == "tcp" && (to.Port() == 25 || to.Addr() == netip.MustParseAddr("198.51.100.1")) {
				return ct.Drop
			}
			return ct.Pass
		})
		want(t, "the control answers", h.look(t, 587), checks.ConnectTimeout)
		if got := h.ports.Blocked(); len(got) != 0 {
			t.Errorf("blocked: got %v, want none", got)
		}

		asked := 0
		h.Rule(func(_, to netip.AddrPort, network string) ct.Effect {
			if to == netip.MustParseAddrPort("203.0.113.9:25") {
				asked++
			}
			if network == "tcp" {
				return ct.Drop
			}
			return ct.Pass
		})
		for range 60 {
			begin := time.Now()
			want(t, "the control does not answer", h.look(t, 25), checks.OwnNetwork)
			time.Sleep(time.Minute - time.Since(begin))
		}
		if asked != 4 {
			t.Errorf("asked the control %d times in an hour, want 4", asked)
		}
	})
}

// TestControlRefuses: the hoster may have said so, which proves nothing of the port.
func TestControlRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.online = true
		h.ports.SetControls([]string{"tcp://203.0.113.9:587", "ftp://203.0.113.9:587", "tcp://:587"})
		asked := 0
		h.Rule(func(_, to netip.AddrPort, network string) ct.Effect {
			switch {
			case to == netip.MustParseAddrPort("203.0.113.9:587"):
				asked++
				return ct.Refuse
			case network == "tcp":
				return ct.Drop
			}
			return ct.Pass
		})
		want(t, "the control refuses", h.look(t, 587), checks.OwnNetwork)
		if asked != 1 || len(h.ports.Blocked()) != 1 {
			t.Errorf("asked %d targets, %v blocked, want one each", asked, h.ports.Blocked())
		}
	})
}

// TestDamagedRecord costs what was known and nothing else.
func TestDamagedRecord(t *testing.T) {
	for _, text := range []string{"", "null", "{", `{"25":3}`, `{"port":{}}`} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t)
			if err := os.WriteFile(filepath.Join(h.dir, "ports.json"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			h.start()
			if !strings.Contains(h.log.String(), "level=ERROR") {
				t.Errorf("%q: nothing logged", text)
			}
			h.online = true
			h.block(993)
			want(t, text, h.look(t, 993), checks.OwnNetwork)
			h.start()
			if got := h.ports.Blocked(); len(got) != 1 || got[0].Port != 993 {
				t.Errorf("%q: blocked %v, want port 993", text, got)
			}
		})
	}
}
