package identity

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"varde/proto/wire"
)

// ErrUnknownProbe says that no probe and no token has a name.
var ErrUnknownProbe = errors.New("no probe has this name")

// maxAddress holds any IPv6 address with a zone and a port, in bytes.
const maxAddress = 64

// Entry is one probe of the fleet.
type Entry struct {
	Name, Region, Site string
	// ASN is 0 when it is not known.
	ASN uint32
	// KeySHA256 is the hash of the certificate's SubjectPublicKeyInfo.
	KeySHA256 [32]byte
	// Recipient is the age X25519 key that its secrets are sealed to.
	Recipient string
	// MeshAddress is where its mesh answers; empty until it has said so.
	// PeerAddress is where its peer listener does; empty where it has none.
	MeshAddress, PeerAddress string
	// Enrolled is when it joined, NotAfter when its certificate ends.
	Enrolled, NotAfter time.Time
}

// Wire is the entry as plans carry it.
func (e Entry) Wire() wire.RosterEntry {
	return wire.RosterEntry{
		Name: e.Name, Region: e.Region, Site: e.Site, ASN: e.ASN,
		KeySHA256: e.KeySHA256, MeshAddress: e.MeshAddress, PeerAddress: e.PeerAddress,
	}
}

func (r record) subject() wire.Subject { return wire.Subject{Name: r.Name, Region: r.Region} }

// entry is the record as the outside sees it; r must be a member.
func (r record) entry() Entry {
	e := Entry{
		Name: r.Name, Region: r.Region, Site: r.Site, ASN: r.ASN, Recipient: r.Member.Recipient,
		MeshAddress: r.Member.MeshAddress, PeerAddress: r.Member.PeerAddress, Enrolled: r.Member.Enrolled, NotAfter: r.Member.NotAfter,
	}
	copy(e.KeySHA256[:], r.Member.KeySHA256)
	return e
}

// holds says whether the key of the given hash is this probe's.
func (r record) holds(key [32]byte) bool {
	return r.Member != nil && (bytes.Equal(r.Member.KeySHA256, key[:]) || bytes.Equal(r.Member.Previous, key[:]))
}

// snapshot is every record, by name.
func (a *Authority) snapshot() []record {
	a.mu.RLock()
	defer a.mu.RUnlock()
	out := make([]record, 0, len(a.records))
	for _, r := range a.records {
		out = append(out, r)
	}
	slices.SortFunc(out, func(x, y record) int { return cmp.Compare(x.Name, y.Name) })
	return out
}

// Roster is every probe of the fleet, by name.
func (a *Authority) Roster() []Entry {
	var out []Entry
	for _, r := range a.snapshot() {
		if r.Member != nil {
			out = append(out, r.entry())
		}
	}
	return out
}

// Pending is every token that was not used, the expired ones of the last days
// included, by name.
func (a *Authority) Pending() []Pending {
	var out []Pending
	for _, r := range a.snapshot() {
		if r.Member == nil {
			out = append(out, Pending{Name: r.Name, Region: r.Region, Site: r.Site, ASN: r.ASN, Expires: r.Token.Expires})
		}
	}
	return out
}

// Remove drops a probe, or a token that was not used. A removed probe is
// refused from its next call on, and the mesh gets a new key; the caller
// closes what streams it has. The error is ErrUnknownProbe where there is
// nothing to remove. The entry returned is empty for a token.
func (a *Authority) Remove(ctx context.Context, name string) (Entry, error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	var e Entry
	var err error
	for range attempts {
		if e, err = a.remove(ctx, name); !errors.Is(err, ErrConflict) {
			break
		}
	}
	if err != nil {
		return Entry{}, fmt.Errorf("remove probe %q: %w", name, err)
	}
	a.log.Info("probe removed", "probe", name, "enrolled", e != Entry{})
	return e, nil
}

func (a *Authority) remove(ctx context.Context, name string) (Entry, error) {
	r, err := a.read(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return Entry{}, ErrUnknownProbe
	}
	if err != nil {
		return Entry{}, err
	}
	if r.Member == nil {
		return Entry{}, a.drop(ctx, r, a.gossip)
	}
	// The key is changed first: should the next step fail, the fleet has a key
	// too many and not a removed probe that still reads the mesh.
	k, err := a.updateGossip(ctx, func(k keyring) keyring { return k.rotated(time.Now()) })
	if err != nil {
		return Entry{}, err
	}
	return r.entry(), a.drop(ctx, r, k)
}

// drop deletes a record from the store and from memory, where the keyring k
// takes effect in the same moment.
func (a *Authority) drop(ctx context.Context, r record, k keyring) error {
	if err := a.store.Delete(ctx, probePrefix+r.Name, r.revision); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("delete record: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.records, r.Name)
	a.gossip = k
	a.announceLocked()
	return nil
}

// forget drops a token of the given revision.
func (a *Authority) forget(ctx context.Context, name string, revision uint64) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	return a.drop(ctx, record{Name: name, revision: revision}, a.gossip)
}

// SetAddresses records where a probe answers others: its mesh, "192.0.2.10:7946",
// and its peer listener; empty for nowhere. Nothing is written when both are
// known already.
func (a *Authority) SetAddresses(ctx context.Context, name, mesh, peer string) error {
	for what, address := range map[string]string{"mesh": mesh, "peer": peer} {
		if address != "" && !ofOneMachine(address) {
			return fmt.Errorf("set %s address of %q: %.80q, expected an IP address and port of one machine", what, name, address)
		}
	}
	a.mu.RLock()
	r := a.records[name]
	a.mu.RUnlock()
	if r.Member != nil && r.Member.MeshAddress == mesh && r.Member.PeerAddress == peer {
		return nil
	}
	_, err := a.update(ctx, name, func(r record, exists bool) (record, error) {
		if !exists || r.Member == nil {
			return record{}, ErrUnknownProbe
		}
		r.Member.MeshAddress, r.Member.PeerAddress = mesh, peer
		return r, nil
	})
	if err != nil {
		return fmt.Errorf("set addresses of %q: %w", name, err)
	}
	return nil
}

func ofOneMachine(address string) bool {
	at, err := netip.ParseAddrPort(address)
	return err == nil && len(address) <= maxAddress && at.Port() != 0 && !at.Addr().IsUnspecified() && !at.Addr().IsMulticast()
}
