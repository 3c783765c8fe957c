//go:build linux

package bridge_test

import (
	"context"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"varde/deploy/bridge"
	"varde/deploy/mailstack"
)

// TestCut: hosts reach one another, and no longer while they are cut apart.
func TestCut(t *testing.T) {
	mailstack.Need(t, "namespaces", bridge.Need())
	b := bridge.New(t)
	one, other := b.Host("10.77.1.1"), b.Host("10.77.1.2")
	l := other.Listen(80)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "hello")
			_ = c.Close()
		}
	}()
	reaches := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c, err := one.Dial(ctx, "10.77.1.2:80")
		if err != nil {
			return false
		}
		defer c.Close()
		words, err := io.ReadAll(c)
		return err == nil && string(words) == "hello"
	}
	if !reaches() {
		t.Fatal("one host does not reach the other")
	}
	b.Cut("udp", []*bridge.Host{one}, []*bridge.Host{other})
	if !reaches() {
		t.Error("streams are cut with the datagrams")
	}
	b.Cut("", []*bridge.Host{one}, []*bridge.Host{other})
	if reaches() {
		t.Error("one host reaches the other through a cut")
	}
	b.Heal()
	if !reaches() {
		t.Error("a cut does not heal")
	}
	command := one.Command("ip", "-o", "-4", "addr")
	if out, err := exec.Command(command[0], command[1:]...).Output(); err != nil || !strings.Contains(string(out), "10.77.1.1/16") || strings.Contains(string(out), "10.77.1.2") {
		t.Errorf("a program on the first host sees %s (%v), want its own address alone", out, err)
	}
}
