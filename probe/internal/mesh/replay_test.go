package mesh

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks/checktest"
)

// TestReplay: whoever recorded all that went over the wire, while members came,
// were doubted, died, left and spoke, changes nothing by sending it again, neither to
// those that it was meant for nor to others, and much later not with what he kept from
// arriving either.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, wire := newFleet(t, 0), &record{keep: true}
		f.through = func(h *checktest.Host) Network { return tap{h, wire, nil} }
		var boxes []*inbox
		for range 6 {
			boxes = append(boxes, &inbox{})
			f.start(Options{Receive: boxes[len(boxes)-1].receive})
		}
		f.until(joinLimit, six, f.list...)
		f.cut(3) // is doubted, and refutes it
		time.Sleep(4 * time.Second)
		f.net.Rule(nil)
		time.Sleep(10 * time.Second)
		f.list[0].Send([]string{"p2"}, []byte("look"))
		time.Sleep(5 * time.Second)
		f.list[5].stop() // leaves
		f.cut(4)         // dies
		time.Sleep(time.Minute)
		f.net.Rule(func(from, to netip.AddrPort, _ string) checktest.Effect {
			if from.Addr() == addr(4) || to.Addr() == addr(4) {
				return checktest.Drop
			}
			return checktest.Pass
		})
		left := []*node{f.list[0], f.list[1], f.list[2], f.list[4]}
		f.until(0, "p1 p2 p3 p5", left...)
		wire.mu.Lock()
		wire.keep = false
		wire.mu.Unlock()
		stranger := f.net.Host(addr(251))
		for later, recorded := range [][][]byte{wire.arrived, wire.packets} {
			time.Sleep(time.Duration(1+9*later) * 2 * time.Minute)
			before := f.log.String()
			replay(t, stranger, recorded, wire.streams, []string{seed(1), seed(2), seed(3), seed(5)})
			for range 300 {
				time.Sleep(100 * time.Millisecond)
				f.until(0, "p1 p2 p3 p5", left...)
			}
			if news, _ := strings.CutPrefix(f.log.String(), before); news != "" {
				t.Errorf("replay %d: %s", later, news)
			}
		}
		for i, box := range boxes {
			if n := strings.Count(box.String(), "look"); n > 1 {
				t.Errorf("p%d received the message %d times", i+1, n)
			}
		}
		if f.list[0].Refused() < 100 {
			t.Errorf("refused %d", f.list[0].Refused())
		}
	})
}

// replay sends all datagrams and streams that were recorded to each of the members.
func replay(t *testing.T, stranger *checktest.Host, packets, streams [][]byte, members []string) {
	p, err := stranger.ListenPacket("udp", "10.0.0.251:0")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	t.Logf("%d datagrams and %d streams", len(packets), len(streams))
	for _, d := range packets {
		for _, to := range members {
			if _, err := p.WriteTo(slices.Clone(d), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to))); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Millisecond)
	}
	for _, s := range streams {
		for _, to := range members {
			c, err := stranger.DialContext(t.Context(), "tcp", to)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = c.Write(s) // may be cut at any time
			_ = c.Close()
		}
		time.Sleep(time.Millisecond)
	}
}
