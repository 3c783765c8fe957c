package mesh

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"varde/checks/checktest"
)

// rawNode is a member that has the key and is none of ours.
func rawNode(t *testing.T, f *fleet, name string, meta []byte) {
	t.Helper()
	host := f.net.Host(addr(100))
	ctx := t.Context()
	tr, err := newTransport(ctx, host, netip.MustParseAddrPort("0.0.0.0:7946"), netip.AddrPort{}, f.logger())
	if err != nil {
		t.Fatal(err)
	}
	m := f.list[0]
	c := m.config(tr)
	c.Name, c.Logger = name, log.New(io.Discard, "", 0)
	c.Keyring, err = memberlist.NewKeyring(nil, oldKey)
	if err != nil {
		t.Fatal(err)
	}
	c.Delegate, c.Events, c.Alive, c.Conflict = hostile{meta: meta}, nil, nil, nil
	list, err := memberlist.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := list.Shutdown(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
	})
	if _, err := list.Join([]string{seed(1), seed(2), seed(3)}); err != nil {
		t.Fatal(err)
	}
	if err := list.SendReliable(&memberlist.Node{Addr: addr(1).AsSlice(), Port: 7946}, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
}

type hostile struct {
	delegate
	meta []byte
}

func (h hostile) NodeMeta(int) []byte           { return h.meta }
func (h hostile) LocalState(bool) []byte        { return bytes.Repeat([]byte("state"), 1000) }
func (hostile) GetBroadcasts(int, int) [][]byte { return [][]byte{[]byte("broadcast")} }

func TestHostileMembersAreIgnored(t *testing.T) {
	for what, n := range map[string]struct {
		name string
		meta []byte
	}{
		"no meta":         {"evil", nil},
		"rubbish":         {"evil", bytes.Repeat([]byte{0xff}, 512)},
		"bad region":      {"evil", encodeMeta("<script>", "")},
		"control in site": {"evil", encodeMeta("eu-north", "a\x1b[2Jb")},
		"bad name":        {"evil\n<b>", encodeMeta("eu-north", "")},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 3)
				f.until(joinLimit, "p1 p2 p3", f.list...)
				rawNode(t, f, n.name, n.meta)
				time.Sleep(2 * time.Minute)
				f.until(0, "p1 p2 p3", f.list...)
				if strings.Contains(f.log.String(), "left the mesh") {
					t.Errorf("members were lost:\n%s", f.log)
				}
			})
		})
	}
}

// A member that loses two of three packets is not held for dead.
func TestLossyMemberStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6)
		f.until(joinLimit, six, f.list...)
		var mu sync.Mutex
		n := 0
		f.net.Rule(func(from, to netip.AddrPort, network string) checktest.Effect {
			mu.Lock()
			defer mu.Unlock()
			if network == "udp" && (from.Addr() == addr(3) || to.Addr() == addr(3)) {
				if n++; n%3 != 0 {
					return checktest.Drop
				}
			}
			return checktest.Pass
		})
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if strings.Contains(f.log.String(), "left the mesh") {
			t.Errorf("held for dead:\n%s", f.log)
		}
	})
}

// Whoever does not know the key cannot take up more than a bounded number of
// streams, and keeps nobody from the mesh for long.
func TestSilentStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		f.until(joinLimit, "p1 p2", f.list...)
		stranger := f.net.Host(addr(200))
		closed := 0
		for range maxStreams + 20 {
			c, err := stranger.DialContext(t.Context(), "tcp", seed(1))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			synctest.Wait()
			if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); errors.Is(err, io.EOF) || strings.Contains(fmt.Sprint(err), "reset") {
				closed++
			}
		}
		if closed != 20 {
			t.Errorf("%d of %d streams were closed at once, want 20", closed, maxStreams+20)
		}
		f.start(Options{})
		f.until(90*time.Second, "p1 p2 p3", f.list...)
	})
}

func TestNewRefuses(t *testing.T) {
	good := func() Options {
		return Options{Name: "p1", Region: "eu-north", Keys: [][]byte{oldKey}, Bind: "127.0.0.1:0"}
	}
	for want, spoil := range map[string]func(*Options){
		`mesh: name "P 1", expected an id`:                                     func(o *Options) { o.Name = "P 1" },
		`mesh: region "", expected an id`:                                      func(o *Options) { o.Region = "" },
		`mesh: site of 65 bytes, expected at most 64 of UTF-8`:                 func(o *Options) { o.Site = strings.Repeat("x", 65) },
		`mesh: bind "here", expected IP:port`:                                  func(o *Options) { o.Bind = "here" },
		`mesh: advertise "there", expected IP or IP:port`:                      func(o *Options) { o.Advertise = "there" },
		`mesh: advertise "0.0.0.0", expected an address that others can reach`: func(o *Options) { o.Advertise = "0.0.0.0" },
		`mesh: no key, expected at least one`:                                  func(o *Options) { o.Keys = nil },
		`mesh: key 1 has 16 bytes, expected 32`:                                func(o *Options) { o.Keys = append(o.Keys, oldKey[:16]) },
		`mesh: timing is incomplete`:                                           func(o *Options) { o.Timing.GossipNodes = 3 },
	} {
		opt := good()
		spoil(&opt)
		if _, err := New(opt); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := New(good()); err != nil {
		t.Error(err)
	}
}

func TestPortInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1)
		m, err := New(Options{Name: "p2", Region: "eu-north", Keys: [][]byte{oldKey}, Network: f.list[0].host})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "listen for the mesh: listen tcp") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAdvertised(t *testing.T) {
	host := checktest.NewInternet().Host(netip.MustParseAddr("fd00::1"), addr(7))
	lonely := checktest.NewInternet().Host()
	for _, c := range []struct {
		net               Network
		given, bind, want string
	}{
		{host, "192.0.2.9", "0.0.0.0", "192.0.2.9:7946"},
		{host, "192.0.2.9:80", "0.0.0.0", "192.0.2.9:80"},
		{host, "", "10.0.0.7", "10.0.0.7:7946"},
		{host, "", "0.0.0.0", "10.0.0.7:7946"},
		{host, "", "::", "[fd00::1]:7946"},
		{lonely, "", "0.0.0.0", "127.0.0.1:7946"},
		{lonely, "", "::", "[::1]:7946"},
	} {
		m, err := New(Options{
			Name: "p1", Region: "eu-north", Keys: [][]byte{oldKey}, Network: c.net,
			Bind: netip.AddrPortFrom(netip.MustParseAddr(c.bind), 7946).String(), Advertise: c.given,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := advertised(c.net, m.advertise, m.bind.Addr(), 7946).String(); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func FuzzDecodeMeta(f *testing.F) {
	f.Add(encodeMeta("eu-north", "rack 4"))
	f.Add([]byte{1, 200, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		region, site, err := decodeMeta(b)
		if err != nil {
			return
		}
		again := encodeMeta(region, site)
		if len(again) > memberlist.MetaMaxSize || !bytes.HasPrefix(b, again) {
			t.Errorf("%q became %q", b, again)
		}
	})
}
