//go:build linux

// Package bridge is a network of hosts for tests, made of the kernel's own
// parts: each host is a network namespace with one address, and a bridge in
// another namespace joins them. What passes between two of them can be cut, for
// all protocols or for one, and nothing ever leaves the machine.
//
// It needs root, ip (iproute2) and nft (nftables), and a kernel and a sandbox
// that allow namespaces; [Need] says why a machine will not do.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Bridge is a running network. Its methods are called from the test's own
// goroutine.
type Bridge struct {
	t *testing.T
	// name begins the names of all namespaces of this network.
	name  string
	hosts int
}

// Host is one host of a network.
type Host struct {
	t *testing.T
	// Address is its one address.
	Address netip.Addr
	space   string
}

// Need returns why this machine cannot have such a network, nil if it can.
func Need() error {
	if os.Getuid() != 0 {
		return errors.New("needs root")
	}
	for _, program := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	space := fmt.Sprintf("varde-%d-try", os.Getpid())
	if err := run("ip", "netns", "add", space); err != nil {
		return err
	}
	return errors.Join(
		run("ip", "netns", "exec", space, "nft", "add table bridge cuts"),
		run("ip", "netns", "del", space),
	)
}

// New makes a network without hosts, which is gone when the test has ended.
func New(t *testing.T) *Bridge {
	t.Helper()
	b := &Bridge{t: t, name: fmt.Sprintf("varde-%d", os.Getpid())}
	b.must("ip", "netns", "add", b.middle())
	t.Cleanup(func() { b.must("ip", "netns", "del", b.middle()) })
	b.must("ip", "-n", b.middle(), "link", "add", "bridge", "type", "bridge")
	b.must("ip", "-n", b.middle(), "link", "set", "bridge", "up")
	b.nft("add table bridge cuts")
	b.nft("add chain bridge cuts forward { type filter hook forward priority 0; }")
	return b
}

// middle is the namespace of the bridge itself.
func (b *Bridge) middle() string { return b.name + "-bridge" }

// Host adds a host. All hosts are in 10.77.0.0/16.
func (b *Bridge) Host(address string) *Host {
	b.t.Helper()
	b.hosts++
	h := &Host{t: b.t, Address: netip.MustParseAddr(address), space: fmt.Sprintf("%s-%d", b.name, b.hosts)}
	b.must("ip", "netns", "add", h.space)
	b.t.Cleanup(func() { b.must("ip", "netns", "del", h.space) })
	port := fmt.Sprintf("port%d", b.hosts)
	b.must("ip", "-n", h.space, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", b.middle())
	b.must("ip", "-n", b.middle(), "link", "set", port, "master", "bridge", "up")
	b.must("ip", "-n", h.space, "addr", "add", address+"/16", "dev", "eth0")
	for _, link := range []string{"lo", "eth0"} {
		b.must("ip", "-n", h.space, "link", "set", link, "up")
	}
	return h
}

// Cut drops what passes between two groups of hosts, both ways, until Heal. A
// protocol, "tcp" or "udp", leaves the others alone; "" takes them all.
func (b *Bridge) Cut(protocol string, one, other []*Host) {
	b.t.Helper()
	match := ""
	if protocol != "" {
		match = "ip protocol " + protocol
	}
	from, to := set(one), set(other)
	b.nft(fmt.Sprintf("add rule bridge cuts forward ip saddr %s ip daddr %s %s drop", from, to, match))
	b.nft(fmt.Sprintf("add rule bridge cuts forward ip saddr %s ip daddr %s %s drop", to, from, match))
}

// Heal ends every Cut.
func (b *Bridge) Heal() {
	b.t.Helper()
	b.nft("flush chain bridge cuts forward")
}

func (b *Bridge) nft(command string) {
	b.t.Helper()
	b.must("ip", "netns", "exec", b.middle(), "nft", command)
}

func (b *Bridge) must(command ...string) {
	b.t.Helper()
	if err := run(command...); err != nil {
		b.t.Fatal(err)
	}
}

// set is the addresses of hosts as nft writes them.
func set(hosts []*Host) string {
	var all []string
	for _, h := range hosts {
		all = append(all, h.Address.String())
	}
	return "{ " + strings.Join(all, ", ") + " }"
}

func run(command ...string) error {
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, out)
	}
	return nil
}

// Command is what runs a program on the host.
func (h *Host) Command(args ...string) []string {
	return append([]string{"ip", "netns", "exec", h.space}, args...)
}

// Listen takes streams at a port of the host, in the test's own process.
func (h *Host) Listen(port int) net.Listener {
	h.t.Helper()
	var l net.Listener
	err := h.do(func() (err error) {
		l, err = net.Listen("tcp4", net.JoinHostPort(h.Address.String(), fmt.Sprint(port)))
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return l
}

// Dial opens a stream from the host to a literal IPv4 address.
func (h *Host) Dial(ctx context.Context, address string) (conn net.Conn, err error) {
	err = h.do(func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp4", address)
		return err
	})
	return conn, err
}

// do runs f on a thread that is inside the host's namespace: a socket belongs
// to the namespace that it was made in, whoever uses it later on. A thread that
// could not be brought back is not given back to the runtime.
func (h *Host) do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			done <- err
			return
		}
		defer home.Close()
		there, err := os.Open(filepath.Join("/run/netns", h.space))
		if err != nil {
			done <- err
			return
		}
		defer there.Close()
		if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		err = f()
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}
