package mesh

import (
	"bytes"
	"crypto/rand"
	"net/netip"
	"slices"
	"testing"
)

// gated is the gate of p1, and a datagram for it that may pass once.
func gated(t testing.TB) (*gate, []byte, netip.AddrPort) {
	m, err := New(Options{Name: "p1", Region: "eu-north", Keys: [][]byte{oldKey, newKey}})
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(seed(1))
	b := append([]byte(labelHeader), sealed(t, append([]byte{kindUser}, make([]byte, 1000)...), []byte(label), at.String())...)
	return newGate(m), b, at
}

// TestGateLooksAtTheLabelFirst: what is none of ours costs nothing, and is counted.
func TestGateLooksAtTheLabelFirst(t *testing.T) {
	g, b, at := gated(t)
	b[len(label)]++ // the last byte of the label but one
	const times = 100
	if n := testing.AllocsPerRun(times, func() { g.packet(b, at, at) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if g.own != nil {
		t.Error("made what opens a datagram")
	}
	if n := g.m.Refused(); n < times {
		t.Errorf("counted %d", n)
	}
}

// TestGateFollowsTheKeys: the pads that are kept are those of the keys there are.
func TestGateFollowsTheKeys(t *testing.T) {
	g, b, at := gated(t)
	first, second := slices.Clone(b), slices.Clone(b)
	if !g.packet(first, at, at) {
		t.Fatal("refused a member")
	}
	if err := g.m.SetKeys([][]byte{newKey}); err != nil {
		t.Fatal(err)
	}
	g.nonces = newMemory(nonceKept, nonceMost)
	if g.packet(second, at, at) {
		t.Error("took what was sealed with a key that is gone")
	}
}

// BenchmarkGate is what a datagram costs that somebody without the key sends: with the
// label of the mesh and without it.
func BenchmarkGate(b *testing.B) {
	g, datagram, at := gated(b)
	forged := append([]byte(labelHeader), bytes.Repeat([]byte{sealVersion}, 1000)...)
	if _, err := rand.Read(forged[len(labelHeader)+1:]); err != nil {
		b.Fatal(err)
	}
	foreign := slices.Clone(datagram)
	foreign[0]++
	for name, d := range map[string][]byte{"foreign": foreign, "forged": forged} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if g.packet(d, at, at) {
					b.Fatal("passed")
				}
			}
		})
	}
}
