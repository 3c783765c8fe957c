package agent

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/proto/wire"
)

// controlled is a station whose plan has four controls, which answer, two of them
// over both families.
func controlled(t *testing.T, changes ...func(*wire.Plan)) *station {
	t.Helper()
	s := newStation(t, append(changes, func(p *wire.Plan) {
		p.Checks[0].Every = 30 * time.Second
		p.Controls = []string{"tcp://203.0.113.7:443", "tcp://203.0.113.8:443", "https://control.test/", "https://both.test/"}
	})...)
	for name, addrs := range map[string][]netip.Addr{
		"a.test":       {netip.MustParseAddr("203.0.113.7")},
		"b.test":       {netip.MustParseAddr("203.0.113.8")},
		"control.test": {netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8:9::1")},
		"both.test":    {netip.MustParseAddr("203.0.113.10"), netip.MustParseAddr("2001:db8:10::1")},
	} {
		l, err := s.Host(addrs...).Listen("tcp", ":443")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = c.Close()
			}
		}()
		t.Cleanup(func() { _ = l.Close() })
		s.Name(name, addrs...)
	}
	return s
}

// last is the newest observation in the spool.
func (s *station) last(t *testing.T, a *Agent) checks.Observation {
	t.Helper()
	all := s.spooled(t, a)
	if len(all) == 0 {
		t.Fatal("nothing was observed")
	}
	return all[len(all)-1]
}

// TestUplinkDies: a probe that reaches nothing blames nobody and says so, until it
// is well; a server that alone is dead is blamed.
func TestUplinkDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := controlled(t)
		greet := []ct.Step{ct.Send("220 hi\r\n"), ct.Expect("EHLO "), ct.Send("250 hi\r\n"), ct.Expect("QUIT"), ct.Send("221 bye\r\n")}
		s.Play(t, ":25", greet...)
		a := s.run(t)
		time.Sleep(time.Minute)
		if o := s.last(t, a); o.Outcome != checks.Up {
			t.Fatalf("got %+v, want up", o)
		}
		s.Rule(func(_, to netip.AddrPort, network string) ct.Effect {
			if network == "tcp" && to.Port() == 25 {
				return ct.Drop
			}
			return ct.Pass
		})
		time.Sleep(time.Minute)
		if o := s.last(t, a); o.Outcome != checks.Down || o.Class != checks.ConnectTimeout {
			t.Errorf("server dead: got %s %s, want down", o.Outcome, o.Class)
		}
		if st := a.state(); st.Qualified != wire.Qualified || st.Counts.Disqualified != 0 {
			t.Errorf("server dead: %+v, want a qualified probe", st)
		}
		s.Rule(func(_, _ netip.AddrPort, network string) ct.Effect {
			if network == "tcp" {
				return ct.Drop
			}
			return ct.Pass
		})
		time.Sleep(time.Minute)
		o := s.last(t, a)
		if o.Outcome != checks.Unknown || o.Class != checks.OwnNetwork || !strings.HasPrefix(o.Detail, "0 of 4 controls answer") {
			t.Errorf("uplink dead: got %s %s %q, want unknown, own_network", o.Outcome, o.Class, o.Detail)
		}
		if st := a.state(); st.Qualified != wire.Disqualified || st.Reason != "0 of 4 controls answer over ipv4" || st.Counts.Disqualified == 0 {
			t.Errorf("uplink dead: %+v, want a probe that is not qualified", st)
		}
		s.Rule(nil)
		time.Sleep(20 * time.Second)
		if st := a.state(); st.Qualified != wire.Qualified || st.Reason != "" {
			t.Errorf("well again: %+v, want a qualified probe", st)
		}
	})
}

// mute is a network whose resolver fails for one name.
type mute struct {
	Network
	name atomic.Value // a string; "." for every name
}

// LookupNetIP does not answer for the name.
func (m *mute) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if name := m.name.Load(); name == "." || name == strings.TrimSuffix(host, ".") {
		return nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}
	}
	return m.Network.LookupNetIP(ctx, network, host)
}

// TestRoomForWords: a detail that is full makes room for what is noted behind it.
func TestRoomForWords(t *testing.T) {
	for detail, want := range map[string]string{
		"short":                  "short; more",
		strings.Repeat("ø", 256): strings.Repeat("ø", 250) + "; more",
	} {
		if got := extended(detail, "; more"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestNameDoesNotResolve: it is down where other names resolve, and the last
// address is looked at; where none does, it is our resolver.
func TestNameDoesNotResolve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := controlled(t)
		network := &mute{Network: s.network}
		s.network = network
		s.Play(t, ":25", ct.Send("220 hi\r\n"), ct.Expect("EHLO "), ct.Send("250 hi\r\n"), ct.Expect("QUIT"), ct.Send("221 bye\r\n"))
		a := s.run(t)
		time.Sleep(time.Minute)
		network.name.Store(ct.LabName)
		time.Sleep(30 * time.Second)
		if o := s.last(t, a); o.Outcome != checks.Down || o.Class != checks.DNSError || !strings.HasSuffix(o.Detail, "; addresses still answer") {
			t.Errorf("the name is dead: got %s %s %q, want dns_error with an address that answers", o.Outcome, o.Class, o.Detail)
		}
		s.Rule(func(_, to netip.AddrPort, network string) ct.Effect {
			if network == "tcp" && to.Port() == 25 {
				return ct.Drop
			}
			return ct.Pass
		})
		time.Sleep(30 * time.Second)
		if o := s.last(t, a); o.Outcome != checks.Down || !strings.HasSuffix(o.Detail, "; addresses do not answer either") {
			t.Errorf("name and server are dead: got %s %s %q", o.Outcome, o.Class, o.Detail)
		}
		network.name.Store(".")
		time.Sleep(time.Minute)
		if o := s.last(t, a); o.Outcome != checks.Unknown || o.Class != checks.OwnNetwork || !strings.HasPrefix(o.Detail, "no control name resolves either") {
			t.Errorf("no name resolves: got %s %s %q, want unknown, own_network", o.Outcome, o.Class, o.Detail)
		}
	})
}
