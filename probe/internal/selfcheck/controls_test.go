package selfcheck_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/probe/internal/selfcheck"
	"varde/proto/wire"
)

// watchman is a probe with three controls in three networks, of both families.
type watchman struct {
	*ct.Lab
	controls *selfcheck.Controls
	changed  int
	families int
	log      strings.Builder

	mu    sync.Mutex // protects asked
	asked map[netip.Addr]int
	dead  map[netip.Addr]bool
}

// The addresses of the controls: two have a name, one has none.
var controlAddrs = [3][2]string{{"198.51.100.7", "2001:db8:7::1"}, {"192.0.2.7", "2001:db8:8::1"}, {"203.0.113.7", "2001:db8:9::1"}}

func newWatchman(t *testing.T) *watchman {
	t.Helper()
	w := &watchman{Lab: ct.NewLab(), asked: map[netip.Addr]int{}, dead: map[netip.Addr]bool{}}
	for i, addrs := range controlAddrs {
		v4, v6 := netip.MustParseAddr(addrs[0]), netip.MustParseAddr(addrs[1])
		l, err := w.Host(v4, v6).Listen("tcp", ":443")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go acceptAll(l)
		w.Name(fmt.Sprintf("control-%d.test", i), v4, v6)
	}
	w.rule()
	w.open(w.Client)
	t.Cleanup(func() { w.controls.Close() })
	return w
}

// open begins anew, with another network.
func (w *watchman) open(n checks.Network) {
	if w.controls != nil {
		w.controls.Close()
	}
	w.controls = selfcheck.NewControls(selfcheck.ControlsOptions{
		Network: n, Logger: slog.New(slog.NewTextHandler(&w.log, nil)),
		Changed: func() { w.changed++ }, Families: func() { w.families++ },
	})
	w.controls.Set([]string{"https://control-0.test/", "https://control-1.test", "tcp://203.0.113.7:443"})
}

func acceptAll(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_ = c.Close()
	}
}

// rule drops what goes to the dead, and counts whom it is for.
func (w *watchman) rule() {
	w.Rule(func(_, to netip.AddrPort, network string) ct.Effect {
		w.mu.Lock()
		defer w.mu.Unlock()
		if network == "tcp" && to.Port() == 443 {
			w.asked[to.Addr()]++
		}
		if w.dead[to.Addr()] {
			return ct.Drop
		}
		return ct.Pass
	})
}

// counted is how often each address was asked since the last time.
func (w *watchman) counted() map[netip.Addr]int {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := w.asked
	w.asked = map[netip.Addr]int{}
	return asked
}

// kill makes addresses dead, or alive again.
func (w *watchman) kill(dead bool, addrs ...string) {
	w.mu.Lock()
	for _, a := range addrs {
		w.dead[netip.MustParseAddr(a)] = dead
	}
	w.mu.Unlock()
	w.rule()
}

func failure(class checks.Class, phase checks.Phase) checks.Result {
	return checks.Result{Outcome: checks.Down, Class: class, FailedPhase: phase, Detail: "no answer within 4s", Elapsed: 20 * time.Second}
}

// judge has a connect_timeout over a family judged and says how long it took.
func (w *watchman) judge(t *testing.T, f checks.Family) (checks.Result, time.Duration) {
	t.Helper()
	began := time.Now()
	return w.controls.Judge(t.Context(), f, failure(checks.ConnectTimeout, checks.Connect)), time.Since(began)
}

func (w *watchman) expect(t *testing.T, q wire.Qualification, reason string) {
	t.Helper()
	synctest.Wait()
	if got, why := w.controls.Standing(); got != q || why != reason {
		t.Errorf("standing: got %d %q, want %d %q", got, why, q, reason)
	}
}

// TestControlsAnswer: the failure is the target's at once.
func TestControlsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		w.expect(t, wire.NotJudged, "")
		r, took := w.judge(t, checks.IPv4)
		want(t, "controls answer", r, checks.ConnectTimeout)
		if took > 0 || r.Detail != "no answer within 4s" {
			t.Errorf("took %s and says %q", took, r.Detail)
		}
		w.expect(t, wire.Qualified, "")
		if w.controls.Disqualified() != 0 {
			t.Error("a failure was disowned")
		}
	})
}

// TestOwnUplinkDead: nobody answers, so it is us. It is found out within 15 s that
// it is not any more, though nothing fails meanwhile.
func TestOwnUplinkDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		w.kill(true, controlAddrs[0][0], controlAddrs[1][0], controlAddrs[2][0], controlAddrs[0][1], controlAddrs[1][1])
		r, took := w.judge(t, checks.IPv4)
		want(t, "controls are silent", r, checks.OwnNetwork)
		if took != time.Second || r.FailedPhase != checks.Connect || r.Detail != "0 of 3 controls answer within 1s (connect_timeout)" {
			t.Errorf("took %s: %s: %s", took, r.FailedPhase, r.Detail)
		}
		time.Sleep(3 * time.Second)
		w.expect(t, wire.Disqualified, "0 of 3 controls answer over ipv4")
		if r, took := w.judge(t, checks.IPv4); took > 0 || r.Class != checks.OwnNetwork {
			t.Errorf("the next failure waited %s and is %s", took, r.Class)
		}
		if w.controls.Disqualified() != 2 || w.changed != 2 {
			t.Errorf("%d failures disowned, %d changes told; want 2 and 2 (targets, standing)", w.controls.Disqualified(), w.changed)
		}
		w.kill(false, controlAddrs[0][0], controlAddrs[1][0], controlAddrs[2][0])
		time.Sleep(11*time.Second - time.Nanosecond)
		w.expect(t, wire.Disqualified, "0 of 3 controls answer over ipv4")
		time.Sleep(time.Nanosecond) // 15 s after the first round
		w.expect(t, wire.Qualified, "")
		if n := strings.Count(w.log.String(), "\n"); n != 2 {
			t.Errorf("logged %d lines, want one for each change:\n%s", n, w.log.String())
		}
	})
}

// TestOneControlDead is no reason to doubt oneself, two of three are.
func TestOneControlDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		w.kill(true, controlAddrs[1][0], controlAddrs[1][1])
		r, took := w.judge(t, checks.IPv4)
		want(t, "two of three answer", r, checks.ConnectTimeout)
		if took > 0 {
			t.Errorf("waited %s for the third", took)
		}
		time.Sleep(20 * time.Second)
		w.kill(true, controlAddrs[2][0])
		r, _ = w.judge(t, checks.IPv4)
		want(t, "one of three answers", r, checks.OwnNetwork)
	})
}

// TestFamilies are judged for themselves where there are controls of both.
func TestFamilies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		w.kill(true, controlAddrs[0][1], controlAddrs[1][1], controlAddrs[2][1])
		r, _ := w.judge(t, checks.IPv6)
		want(t, "no control answers over IPv6", r, checks.OwnNetwork)
		if r.Detail != "0 of 2 controls answer within 1s (connect_timeout)" { // the third has no name
			t.Errorf("says %q", r.Detail)
		}
		r, _ = w.judge(t, checks.IPv4)
		want(t, "IPv4 is well", r, checks.ConnectTimeout)
		time.Sleep(3 * time.Second)
		w.expect(t, wire.Disqualified, "0 of 2 controls answer over ipv6")

		w.controls.Set([]string{"tcp://198.51.100.7:443", "tcp://192.0.2.7:443", "tcp://203.0.113.7:443"})
		w.expect(t, wire.NotJudged, "")
		r, _ = w.judge(t, checks.IPv6)
		want(t, "there is no control of IPv6, and those of IPv4 answer", r, checks.ConnectTimeout)
	})
}

// TestWhatTheServerSaid came through our network, and unknown stays unknown.
func TestWhatTheServerSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		for _, class := range []checks.Class{checks.HTTPStatus, checks.Busy, checks.CertExpired, checks.ConnectRefused, checks.AuthTempfail, checks.ProtocolError} {
			want(t, "an answer", w.controls.Judge(t.Context(), checks.IPv4, failure(class, checks.Request)), class)
		}
		unknown := checks.Result{Class: checks.AuthRejected, FailedPhase: checks.Auth}
		if r := w.controls.Judge(t.Context(), checks.IPv4, unknown); r.Class != unknown.Class {
			t.Errorf("unknown became %s", r.Class)
		}
		if asked := w.counted(); len(asked) != 0 {
			t.Errorf("controls were asked: %v", asked)
		}
	})
}

// TestAskedSeldom: a hundred failures at once ask each address of the controls once,
// in 15 s, over whatever families they are.
func TestAskedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		var g sync.WaitGroup
		for i := range 100 {
			g.Go(func() {
				f := []checks.Family{checks.IPv4, checks.IPv6}[i%2]
				w.controls.Doubt(f)
				w.judge(t, f)
			})
		}
		g.Wait()
		time.Sleep(14 * time.Second)
		w.judge(t, checks.IPv4)
		asked := w.counted()
		for a, n := range asked {
			if n != 1 {
				t.Errorf("%s was asked %d times", a, n)
			}
		}
		if len(asked) != 5 { // one has no name, and so no IPv6
			t.Errorf("asked %v", asked)
		}
		time.Sleep(time.Hour)
		if asked = w.counted(); len(asked) != 0 {
			t.Errorf("asked though all is well: %v", asked)
		}
	})
}

// TestDoubt: by the time that an attempt which does not get on fails, the controls
// have been silent for long enough.
func TestDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		w.kill(true, controlAddrs[0][0], controlAddrs[1][0], controlAddrs[2][0])
		w.controls.Doubt(checks.IPv4)
		time.Sleep(4 * time.Second)
		r, took := w.judge(t, checks.IPv4)
		want(t, "doubted", r, checks.OwnNetwork)
		if took > 0 || r.Detail != "0 of 3 controls answer (connect_timeout)" {
			t.Errorf("waited %s and says %q", took, r.Detail)
		}
	})
}

// far is a network that is so slow to answer.
type far struct {
	checks.Network
	by time.Duration
}

// DialContext dials after a while.
func (n far) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	select {
	case <-time.After(n.by):
		return n.Network.DialContext(ctx, network, address)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestSlowControls cost one failure its certainty, and the probe nothing.
func TestSlowControls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		w.open(far{w.Client, 1500 * time.Millisecond})
		r, took := w.judge(t, checks.IPv4)
		want(t, "too slow", r, checks.OwnNetwork)
		if took != time.Second {
			t.Errorf("waited %s, want 1s", took)
		}
		w.expect(t, wire.NotJudged, "")
		time.Sleep(2 * time.Second)
		w.expect(t, wire.Qualified, "")
		r, took = w.judge(t, checks.IPv4)
		want(t, "they have answered", r, checks.ConnectTimeout)
		if took > 0 {
			t.Errorf("waited %s", took)
		}
	})
}

// TestUplinkDiesAfterARound: a round that passed before the attempt began does not
// speak for the uplink, and one more is asked for it; not a second one soon.
func TestUplinkDiesAfterARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		attempt := func() checks.Result {
			r := failure(checks.ConnectTimeout, checks.Connect)
			r.Elapsed = 4 * time.Second
			return w.controls.Judge(t.Context(), checks.IPv4, r)
		}
		want(t, "the uplink is well", attempt(), checks.ConnectTimeout)
		w.kill(true, controlAddrs[0][0], controlAddrs[1][0], controlAddrs[2][0], controlAddrs[0][1], controlAddrs[1][1])
		time.Sleep(5 * time.Second)
		want(t, "it died between the round and the attempt", attempt(), checks.OwnNetwork)

		w.kill(false, controlAddrs[0][0], controlAddrs[1][0], controlAddrs[2][0], controlAddrs[0][1], controlAddrs[1][1])
		time.Sleep(16 * time.Second)
		want(t, "it is well again", attempt(), checks.ConnectTimeout)
		w.kill(true, controlAddrs[0][0], controlAddrs[1][0], controlAddrs[2][0], controlAddrs[0][1], controlAddrs[1][1])
		time.Sleep(5 * time.Second)
		want(t, "the next early round must wait", attempt(), checks.ConnectTimeout)
	})
}

// TestWithoutControls nothing can be told.
func TestWithoutControls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		w.controls.Set(nil)
		r, _ := w.judge(t, checks.IPv4)
		want(t, "no controls", r, checks.ConnectTimeout)
		w.expect(t, wire.NotJudged, "")
	})
}

// TestStopped does not wait, and does not blame.
func TestStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		w.kill(true, controlAddrs[0][0], controlAddrs[1][0], controlAddrs[2][0])
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		r := w.controls.Judge(ctx, checks.IPv4, failure(checks.ConnectTimeout, checks.Connect))
		want(t, "stopped", r, checks.OwnNetwork)
	})
}
