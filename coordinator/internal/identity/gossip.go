package identity

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// gossipKeyBytes selects AES-256 in the mesh.
const gossipKeyBytes = 32

// maxGossipKeys bounds the keys that a probe tries on every packet. More
// removals within KeyTransition drop the oldest early; the probes that miss
// the step read the newest key from their plan.
const maxGossipKeys = 4

// keyring is the keys of the mesh, the one to encrypt with first.
type keyring struct {
	Keys []gossipSecret `json:"keys"`
}

// gossipSecret is one key of the mesh.
type gossipSecret struct {
	Key []byte `json:"key"`
	// Retires is when the mesh shall forget it; zero for the current key.
	Retires time.Time `json:"retires,omitzero"`
}

func newGossipSecret() gossipSecret {
	s := gossipSecret{Key: make([]byte, gossipKeyBytes)}
	rand.Read(s.Key)
	return s
}

// rotated puts a new key first and lets the former one go after KeyTransition.
func (k keyring) rotated(at time.Time) keyring {
	former := k.without(at)
	if len(former.Keys) > 0 {
		former.Keys[0].Retires = at.Add(KeyTransition).UTC().Round(0)
	}
	former.Keys = slices.Insert(former.Keys, 0, newGossipSecret())
	former.Keys = former.Keys[:min(len(former.Keys), maxGossipKeys)]
	return former
}

// without is the keyring without the keys that are retired at the given time.
func (k keyring) without(at time.Time) keyring {
	k.Keys = slices.DeleteFunc(slices.Clone(k.Keys), func(s gossipSecret) bool {
		return !s.Retires.IsZero() && !s.Retires.After(at)
	})
	return k
}

// nextRetirement is the time until the next key retires, 0 if none will.
func (k keyring) nextRetirement(at time.Time) time.Duration {
	var next time.Duration
	for _, s := range k.Keys {
		if left := s.Retires.Sub(at); !s.Retires.IsZero() && (next == 0 || left < next) {
			next = max(left, 1)
		}
	}
	return next
}

// GossipKeys are the keys of the mesh, 32 bytes each, the one to encrypt with
// first.
func (a *Authority) GossipKeys() [][]byte {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var out [][]byte
	for _, s := range a.gossip.without(time.Now()).Keys {
		out = append(out, bytes.Clone(s.Key))
	}
	return out
}

// loadGossip reads the keyring, or makes the first key of a new fleet.
func (a *Authority) loadGossip(ctx context.Context) error {
	k, err := a.updateGossip(ctx, func(k keyring) keyring {
		if len(k.Keys) == 0 {
			k.Keys = []gossipSecret{newGossipSecret()}
		}
		return k
	})
	if err != nil {
		return err
	}
	a.gossip = k
	return nil
}

// retireKeys drops keys whose time is over and returns the time until the next
// one's is, 0 if none is waiting.
func (a *Authority) retireKeys(ctx context.Context, at time.Time) (time.Duration, error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	a.mu.RLock()
	k := a.gossip
	a.mu.RUnlock()
	if len(k.without(at).Keys) == len(k.Keys) {
		return k.nextRetirement(at), nil
	}
	k, err := a.updateGossip(ctx, func(k keyring) keyring { return k.without(at) })
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gossip = k
	a.announceLocked()
	return k.nextRetirement(at), nil
}

// updateGossip changes the keyring in the store and returns it. The caller
// keeps it in memory, holding writing.
func (a *Authority) updateGossip(ctx context.Context, change func(keyring) keyring) (k keyring, err error) {
	for range attempts {
		if k, err = a.tryUpdateGossip(ctx, change); !errors.Is(err, ErrConflict) {
			break
		}
	}
	return k, err
}

func (a *Authority) tryUpdateGossip(ctx context.Context, change func(keyring) keyring) (keyring, error) {
	old, revision, err := a.store.Get(ctx, gossipKey)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return keyring{}, fmt.Errorf("read mesh keys: %w", err)
	}
	var k keyring
	if err == nil && json.Unmarshal(old, &k) != nil {
		return keyring{}, errors.New("read mesh keys: not a keyring") // the cause could quote one
	}
	k = change(k)
	fresh, err := json.Marshal(k)
	if err != nil {
		return keyring{}, err
	}
	if bytes.Equal(fresh, old) {
		return k, nil
	}
	if _, err = a.store.Put(ctx, gossipKey, fresh, revision); err != nil {
		return keyring{}, fmt.Errorf("write mesh keys: %w", err)
	}
	return k, nil
}
