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

// maxGossipKeys bounds the keys that a probe tries on every packet, maxWaiting
// those of them that wait to be encrypted with. More removals within KeyTransition
// drop the oldest early; the probes that miss the step read the newest key from
// their plan.
const (
	maxGossipKeys = 4
	maxWaiting    = 2
)

// keyring is the keys of the mesh: the one to encrypt with, then those that will
// be, the next one first, then those that were, the last one first.
type keyring struct {
	Keys []gossipSecret `json:"keys"`
}

// gossipSecret is one key of the mesh.
type gossipSecret struct {
	Key []byte `json:"key"`
	// Encrypts is from when on the mesh encrypts with it; zero once it does.
	Encrypts time.Time `json:"encrypts,omitzero"`
	// Retires is when the mesh shall forget it; zero before it has a successor.
	Retires time.Time `json:"retires,omitzero"`
}

func newGossipSecret() gossipSecret {
	s := gossipSecret{Key: make([]byte, gossipKeyBytes)}
	rand.Read(s.Key)
	return s
}

// waits says whether the mesh does not encrypt with s yet.
func (s gossipSecret) waits() bool { return !s.Encrypts.IsZero() }

// rotated adds a new key, which everybody knows before the mesh encrypts with it
// after KeyNotice. Of the keys that wait already only the first is left: nobody
// has used the others.
func (k keyring) rotated(at time.Time) keyring {
	k = k.at(at)
	fresh := newGossipSecret()
	if len(k.Keys) == 0 {
		return keyring{Keys: []gossipSecret{fresh}}
	}
	fresh.Encrypts = at.Add(KeyNotice).UTC().Round(0)
	waiting := 1
	for waiting < len(k.Keys) && k.Keys[waiting].waits() {
		waiting++
	}
	left := min(waiting, maxWaiting)
	k.Keys = slices.Concat(k.Keys[:left], []gossipSecret{fresh}, k.Keys[waiting:])
	k.Keys = k.Keys[:min(len(k.Keys), maxGossipKeys)]
	return k
}

// at is the keyring as it is to be at the given time: with the newest key to
// encrypt with in front, and without those that are retired.
func (k keyring) at(t time.Time) keyring {
	keys := slices.Clone(k.Keys)
	for len(keys) > 1 && keys[1].waits() && !keys[1].Encrypts.After(t) {
		former, next := keys[0], keys[1]
		former.Retires = next.Encrypts.Add(KeyTransition)
		next.Encrypts = time.Time{}
		waiting := slices.IndexFunc(keys[2:], func(s gossipSecret) bool { return !s.waits() })
		if waiting < 0 {
			waiting = len(keys) - 2
		}
		keys = slices.Concat([]gossipSecret{next}, keys[2:2+waiting], []gossipSecret{former}, keys[2+waiting:])
	}
	return keyring{Keys: slices.DeleteFunc(keys, func(s gossipSecret) bool {
		return !s.Retires.IsZero() && !s.Retires.After(t)
	})}
}

// is says whether two keyrings are at the same step.
func (k keyring) is(b keyring) bool {
	return slices.EqualFunc(k.Keys, b.Keys, func(x, y gossipSecret) bool {
		return bytes.Equal(x.Key, y.Key) && x.Encrypts.Equal(y.Encrypts) && x.Retires.Equal(y.Retires)
	})
}

// noticed gives the keys that wait their whole KeyNotice: while no coordinator ran
// nobody was told of them.
func (k keyring) noticed(t time.Time) keyring {
	k.Keys = slices.Clone(k.Keys)
	for i, s := range k.Keys {
		if from := t.Add(KeyNotice); s.waits() && s.Encrypts.Before(from) {
			k.Keys[i].Encrypts = from.UTC().Round(0)
		}
	}
	return k
}

// nextStep is the time until the next key is encrypted with, or retires; 0 if none
// will.
func (k keyring) nextStep(at time.Time) time.Duration {
	var next time.Duration
	for _, s := range k.Keys {
		for _, step := range []time.Time{s.Encrypts, s.Retires} {
			if left := step.Sub(at); !step.IsZero() && (next == 0 || left < next) {
				next = max(left, 1)
			}
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
	for _, s := range a.gossip.at(time.Now()).Keys {
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
		return k.noticed(time.Now())
	})
	if err != nil {
		return err
	}
	a.gossip = k
	return nil
}

// stepKeys takes the steps of the keyring that are due and returns the time until
// the next one, 0 if none is waiting.
func (a *Authority) stepKeys(ctx context.Context, at time.Time) (time.Duration, error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	a.mu.RLock()
	k := a.gossip
	a.mu.RUnlock()
	if k.at(at).is(k) {
		return k.nextStep(at), nil
	}
	k, err := a.updateGossip(ctx, func(k keyring) keyring { return k.at(at) })
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gossip = k
	a.announceLocked()
	return k.nextStep(at), nil
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
