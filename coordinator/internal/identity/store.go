package identity

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Store is a small table that all coordinators of a fleet agree on. Revisions
// grow with every change of the store and are never used twice.
type Store interface {
	// Get returns a value and its revision, or ErrNotFound.
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Put replaces the value of the given revision, 0 where there must be none,
	// and returns the new one. Where another was faster it returns ErrConflict
	// and changes nothing.
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	// Delete removes the value of the given revision, or returns ErrConflict or
	// ErrNotFound.
	Delete(ctx context.Context, key string, revision uint64) error
	// Keys lists what there is, in any order.
	Keys(ctx context.Context) ([]string, error)
}

// What a Store answers.
var (
	ErrNotFound = errors.New("key is not in the store")
	ErrConflict = errors.New("value in the store was changed meanwhile")
)

// Keys of the store: one record a probe, and one for the mesh.
const (
	probePrefix = "probe."
	gossipKey   = "gossip"
)

// attempts bounds how often a change is tried anew because another coordinator
// was faster.
const attempts = 16

// record is all that is known of one name. It begins with a token and becomes
// a member of the fleet by redeeming it, in one compare-and-set.
type record struct {
	Name   string      `json:"name"`
	Region string      `json:"region"`
	Site   string      `json:"site,omitempty"`
	ASN    uint32      `json:"asn,omitempty"`
	Token  tokenRecord `json:"token"`
	// Member is nil until the token was redeemed.
	Member *member `json:"member,omitempty"`
	// revision in the store.
	revision uint64
}

// tokenRecord is a token without its secret.
type tokenRecord struct {
	ID           hexBytes  `json:"id"`
	SecretSHA256 hexBytes  `json:"secret_sha256"`
	Expires      time.Time `json:"expires"`
}

// member is what enrolment adds to a record.
type member struct {
	KeySHA256 hexBytes `json:"key_sha256"`
	// Previous is the key before a renewal that changed it. It is good until
	// the new certificate was first used: the answer may have been lost.
	Previous    hexBytes  `json:"previous_key_sha256,omitempty"`
	Recipient   string    `json:"recipient"`
	MeshAddress string    `json:"mesh_address,omitempty"`
	PeerAddress string    `json:"peer_address,omitempty"`
	Enrolled    time.Time `json:"enrolled"`
	NotAfter    time.Time `json:"not_after"`
}

// hexBytes is a hash or an id, readable in the store.
type hexBytes []byte

// MarshalText writes lower-case hexadecimal.
func (h hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText reads what MarshalText writes.
func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.AppendDecode(nil, b)
	return err
}

// load reads the whole store into memory.
func (a *Authority) load(ctx context.Context) error {
	names, err := a.store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("list roster: %w", err)
	}
	for _, key := range names {
		name, ok := strings.CutPrefix(key, probePrefix)
		if !ok {
			continue
		}
		r, err := a.read(ctx, name)
		if err != nil {
			return err
		}
		a.records[name] = r
	}
	return a.loadGossip(ctx)
}

// read returns the record of a name from the store, ErrNotFound if none.
func (a *Authority) read(ctx context.Context, name string) (record, error) {
	b, revision, err := a.store.Get(ctx, probePrefix+name)
	if err != nil {
		return record{}, fmt.Errorf("read probe %q: %w", name, err)
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, fmt.Errorf("read probe %q: %w", name, err)
	}
	r.revision = revision
	return r, nil
}

// update changes the record of a name. Change gets what the store holds, with
// exists false for nothing, and returns what it shall hold; its error ends the
// attempt. When another coordinator was faster, change is called again.
func (a *Authority) update(ctx context.Context, name string, change func(r record, exists bool) (record, error)) (record, error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	var r record
	var err error
	for range attempts {
		if r, err = a.tryUpdate(ctx, name, change); !errors.Is(err, ErrConflict) {
			break
		}
	}
	if err != nil {
		return record{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.records[name] = r
	a.announceLocked()
	return r, nil
}

func (a *Authority) tryUpdate(ctx context.Context, name string, change func(r record, exists bool) (record, error)) (record, error) {
	old, err := a.read(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return record{}, err
	}
	r, err := change(old.clone(), err == nil)
	if err != nil {
		return record{}, err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return record{}, err
	}
	r.revision, err = a.store.Put(ctx, probePrefix+name, b, old.revision)
	if err != nil {
		return record{}, fmt.Errorf("write probe %q: %w", name, err)
	}
	return r, nil
}

// clone returns a record that shares no member with r.
func (r record) clone() record {
	if r.Member != nil {
		m := *r.Member
		r.Member = &m
	}
	return r
}
