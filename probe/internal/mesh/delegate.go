package mesh

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/hashicorp/memberlist"

	"varde/checks"
)

// maxMembers bounds what a member with a stolen key can make us remember.
const maxMembers = 1000

// protocol is what every member speaks. Of one that claims anything else memberlist
// concludes that nobody understands one another, and exchanges nothing any more.
func protocol() [6]uint8 {
	return [6]uint8{memberlist.ProtocolVersionMin, memberlist.ProtocolVersionMax, memberlist.ProtocolVersion2Compatible}
}

// delegate is what memberlist calls. It calls under its own locks, so that
// nothing here may wait or call memberlist back.
type delegate struct{ m *Mesh }

var (
	_ memberlist.Delegate         = delegate{}
	_ memberlist.EventDelegate    = delegate{}
	_ memberlist.AliveDelegate    = delegate{}
	_ memberlist.ConflictDelegate = delegate{}
)

// NodeMeta is what this member says of itself.
func (d delegate) NodeMeta(int) []byte {
	return encodeMeta(d.m.opt.Region, d.m.opt.Site, d.m.opt.Standing())
}

// NotifyMsg takes a message.
func (d delegate) NotifyMsg(message []byte) { d.m.messages.take(message) }

// GetBroadcasts returns messages to pass on.
func (d delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.m.messages.queue.GetBroadcasts(overhead, limit)
}

// LocalState has no state to exchange.
func (delegate) LocalState(bool) []byte { return nil }

// MergeRemoteState ignores what a hostile member may send.
func (delegate) MergeRemoteState([]byte, bool) {}

// NotifyAlive refuses a member that is not described as one of ours.
func (d delegate) NotifyAlive(n *memberlist.Node) error {
	err := d.fits(n)
	if err != nil {
		d.m.messages.refuse()
	}
	return err
}

func (d delegate) fits(n *memberlist.Node) error {
	if !checks.ValidID(n.Name) {
		return fmt.Errorf("name %.80q, expected an id", n.Name)
	}
	region, _, _, err := decodeMeta(n.Meta)
	if err != nil {
		return err
	}
	if !address(n).IsValid() {
		return errors.New("address is not valid")
	}
	if [6]uint8{n.PMin, n.PMax, n.PCur, n.DMin, n.DMax, n.DCur} != protocol() {
		return errors.New("speaks another protocol")
	}
	if err := d.m.mayBe(n.Name, region, address(n)); err != nil {
		return err
	}
	if !d.m.roomFor(n.Name) {
		return fmt.Errorf("more than %d members", maxMembers)
	}
	return nil
}

// mayBe says why there cannot be such a member. What this one tells of itself, and
// others repeat, is its own affair.
func (m *Mesh) mayBe(name, region string, at netip.AddrPort) error {
	if name == m.opt.Name {
		return nil
	}
	home, address, ok := m.opt.Enrolled(name)
	switch {
	case !ok:
		return errors.New("not enrolled")
	case home != "" && home != region:
		return fmt.Errorf("region %s, enrolled in %s", region, home)
	}
	if want, err := netip.ParseAddrPort(address); err == nil && unmapped(want) != at {
		m.moved(name, unmapped(want), at)
		return fmt.Errorf("address %s, enrolled at %s", at, want)
	}
	return nil
}

// NotifyJoin notes a member that came or came back.
func (d delegate) NotifyJoin(n *memberlist.Node) {
	region, site, standing, err := decodeMeta(n.Meta)
	if err != nil {
		return // NotifyAlive refused it already
	}
	d.m.note(n.Name, &Member{Name: n.Name, Region: region, Site: site, Address: address(n).String(), Standing: standing})
}

// NotifyUpdate notes what a member says anew of itself.
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.NotifyJoin(n) }

// NotifyLeave notes a member that left or died.
func (d delegate) NotifyLeave(n *memberlist.Node) { d.m.note(n.Name, nil) }

// NotifyConflict says that two machines go by one name.
func (d delegate) NotifyConflict(existing, other *memberlist.Node) {
	d.m.messages.refuse()
	d.m.conflict(existing.Name, address(existing), address(other))
}

func address(n *memberlist.Node) netip.AddrPort { return endpoint(n.Addr, n.Port) }

// endpoint is the address that somebody claims to be at; not valid where nobody can
// be.
func endpoint(ip []byte, port uint16) netip.AddrPort {
	a, ok := netip.AddrFromSlice(ip)
	if !ok || a.IsUnspecified() || a.IsMulticast() || port == 0 {
		return netip.AddrPort{}
	}
	return unmapped(netip.AddrPortFrom(a, port))
}

// unmapped is an address in its plain form.
func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
