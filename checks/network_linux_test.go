package checks

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestNoKeepAlives(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := new(System).DialContext(t.Context(), "tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	on := -1
	if err := raw.Control(func(fd uintptr) {
		on, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
	}); err != nil {
		t.Fatal(err)
	}
	if on != 0 || err != nil {
		t.Errorf("SO_KEEPALIVE is %d, %v", on, err)
	}
}

// nameServer answers the one question that comes over a stream.
func nameServer(t *testing.T, c net.Conn, answer netip.Addr) {
	defer c.Close()
	var size uint16
	if err := binary.Read(c, binary.BigEndian, &size); err != nil {
		t.Error(err)
		return
	}
	raw := make([]byte, size)
	var m dnsmessage.Message
	if _, err := io.ReadFull(c, raw); err != nil || m.Unpack(raw) != nil {
		t.Error("not a question", err)
		return
	}
	m.Response, m.Additionals = true, nil
	m.Answers = []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET},
		Body:   &dnsmessage.AResource{A: answer.As4()},
	}}
	raw, err := m.AppendPack(make([]byte, 2))
	if err != nil {
		t.Error(err)
	}
	binary.BigEndian.PutUint16(raw, uint16(len(raw)-2))
	_, _ = c.Write(raw)
}

// A name server that is dead leaves time to ask another one, or the same again.
func TestSecondNameServerIsAskedInTime(t *testing.T) {
	// The first lookup reads resolv.conf, and makes a channel that no other
	// bubble than its own could use.
	if _, err := new(System).LookupNetIP(t.Context(), "ip", "localhost"); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		want, asked := netip.MustParseAddr("198.51.100.1"), 0
		r := resolver(func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			if asked++; asked == 1 {
				go io.Copy(io.Discard, far) //nolint:errcheck // it is dead
				return near, nil
			}
			go nameServer(t, far, want)
			return near, nil
		})
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), resolveLimit)
		defer cancel()
		got, err := r.LookupNetIP(ctx, "ip4", "mail.example.net.")
		if err != nil || len(got) != 1 || got[0] != want || asked != 2 {
			t.Errorf("got %v, %v from the server asked %d times", got, err, asked)
		}
		if took := time.Since(begin); took != resolveLimit/2 {
			t.Errorf("took %s", took)
		}
	})
}

func TestSearchListIsNotUsed(t *testing.T) {
	for host, want := range map[string]string{"mail.example.net": "mail.example.net.", "localhost": "localhost"} {
		if got := rooted(host); got != want {
			t.Errorf("%s is looked up as %s", host, got)
		}
	}
	const name = "nobody.invalid"
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what was asked for stands in the error all the same
	_, err := new(System).LookupNetIP(ctx, "ip4", name)
	if dns, ok := errors.AsType[*net.DNSError](err); !ok || dns.Name != name+"." {
		t.Errorf("looked up: %v", err)
	}
}

// refusing is a network on which every dial ends in one error.
type refusing struct {
	Network
	err error
}

func (r refusing) DialContext(context.Context, string, string) (net.Conn, error) { return nil, r.err }

func TestRouted(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.ENETUNREACH: false, syscall.EHOSTUNREACH: false, syscall.EADDRNOTAVAIL: false, syscall.EAFNOSUPPORT: false,
		syscall.EACCES: false, syscall.EINVAL: false, syscall.EMFILE: true, context.DeadlineExceeded: true,
	} {
		if got := Routed(t.Context(), refusing{err: err}, netip.MustParseAddr("2001:db8::1")); got != want {
			t.Errorf("%v: got %v", err, got)
		}
	}
}
