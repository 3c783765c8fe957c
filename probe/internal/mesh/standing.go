package mesh

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"

	"varde/proto/wire"
)

// Standing is what a member tells of itself beside who it is. Whoever holds the
// key of the mesh can tell anything: it says where to ask, and not what to
// believe.
type Standing struct {
	// Plan is the number of the plan in force.
	Plan wire.PlanNumber
	// PeerPort is the port of its peer listener, at the address of its mesh; 0 for
	// none.
	PeerPort uint16
	// Coordinator says that it reaches a coordinator without help.
	Coordinator bool
}

// PeerAddress is where the peer listener of m answers, IP:port; empty where it
// has none.
func (m Member) PeerAddress() string {
	at, err := netip.ParseAddrPort(m.Address)
	if err != nil || m.PeerPort == 0 {
		return ""
	}
	return netip.AddrPortFrom(at.Addr(), m.PeerPort).String()
}

// appendStanding puts s behind the other fields of a meta: whether there is a
// coordinator, the peer port, and the number of the plan as two varints. It takes
// at most 23 bytes.
func appendStanding(b []byte, s Standing) []byte {
	b = append(b, 0)
	if s.Coordinator {
		b[len(b)-1] = 1
	}
	b = binary.BigEndian.AppendUint16(b, s.PeerPort)
	return binary.AppendUvarint(binary.AppendUvarint(b, s.Plan.Generation), s.Plan.Revision)
}

// decodeStanding reads what appendStanding wrote. Nothing is the standing of a
// member that tells none.
func decodeStanding(b []byte) (s Standing, err error) {
	if len(b) == 0 {
		return Standing{}, nil
	}
	if len(b) < 3 {
		return Standing{}, errMetaCut
	}
	s.Coordinator, s.PeerPort = b[0]&1 != 0, binary.BigEndian.Uint16(b[1:])
	b = b[3:]
	for _, into := range []*uint64{&s.Plan.Generation, &s.Plan.Revision} {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return Standing{}, errMetaCut
		}
		*into, b = v, b[n:]
	}
	return s, nil
}

var errMetaCut = errors.New("meta is cut short")

// restandEvery is how often the others are told of a new standing at most: it goes
// to every member.
const restandEvery = time.Second

// StandingChanged has the others told soon what Options.Standing says now. It does
// not wait.
func (m *Mesh) StandingChanged() {
	select {
	case m.restand <- struct{}{}:
	default: // they will be told anyway
	}
}

// tellStanding tells the others of every change until ctx ends, also of one that
// came while this member introduced itself.
func (m *Mesh) tellStanding(ctx context.Context, list *memberlist.Memberlist) {
	_, _, told, _ := decodeMeta(list.LocalNode().Meta) // ours is whole
	for {
		if now := m.opt.Standing(); now != told {
			told = now
			// It waits for the news to be passed on, for which the next round of gossip
			// is enough.
			if err := list.UpdateNode(restandEvery); err != nil {
				m.opt.Logger.Debug("members are told later how this one stands", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(restandEvery):
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-m.restand:
		}
	}
}
