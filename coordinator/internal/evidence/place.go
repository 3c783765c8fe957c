package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"varde/coordinator/internal/journal"
)

// Store is where a Keeper writes down how far it has come: a small table with
// compare-and-set, as a bucket of the journal is.
type Store interface {
	// Get returns a value and its revision, or journal.ErrNotFound.
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Put replaces the value of a revision, 0 where there must be none.
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	// Delete removes the value of a revision.
	Delete(ctx context.Context, key string, revision uint64) error
	Keys(ctx context.Context) ([]string, error)
}

// Keys of the store: one for the place, and one for each incident.
const (
	placeKey   = "place"
	wantPrefix = "incident."
)

// wantRecord is a want as it is written down.
type wantRecord struct {
	Checks []string  `json:"checks"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until,omitzero"`
}

// load reads how far the keeper has come. What cannot be read is begun anew, which
// loses nothing that the journal still holds.
func (k *Keeper) load(ctx context.Context) error {
	k.place, k.saved, k.savedAt = 0, 0, time.Now()
	k.waiting, k.wants, k.revisions = gathered{}, make(map[string]Want), make(map[string]uint64)
	keys, err := k.opts.Store.Keys(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		value, revision, err := k.opts.Store.Get(ctx, key)
		if errors.Is(err, journal.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		k.revisions[key] = revision
		if err := k.read(key, value); err != nil {
			k.log.Warn("place of the keeper of evidence is not readable, it is looked for anew", "key", key, "error", err)
		}
	}
	switch last := k.opts.Journal.Last(); {
	case len(keys) == 0: // nothing was wanted so far, and what will be is looked for
		k.place = last
	case k.place > last:
		k.log.Error("journal ends before the place of the keeper of evidence, it is read from its beginning", "place", k.place, "last", last)
		k.place = 0
	}
	k.claims = claimsOf(k.wants)
	return nil
}

// read takes one value of the store.
func (k *Keeper) read(key string, value []byte) (err error) {
	incident, ok := strings.CutPrefix(key, wantPrefix)
	if !ok {
		k.place, err = strconv.ParseUint(string(value), 10, 64)
		k.saved = k.place
		return err
	}
	var r wantRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return err
	}
	k.wants[incident] = Want{Incident: incident, Checks: r.Checks, From: r.From, Until: r.Until}
	return nil
}

func (k *Keeper) savePlace(ctx context.Context) error {
	if err := k.put(ctx, placeKey, strconv.AppendUint(nil, k.place, 10)); err != nil {
		return err
	}
	k.saved, k.savedAt = k.place, time.Now()
	return nil
}

func (k *Keeper) saveWant(ctx context.Context, w Want) error {
	value, err := json.Marshal(wantRecord{w.Checks, w.From.UTC(), w.Until.UTC()})
	if err != nil {
		return fmt.Errorf("write down incident %s: %w", w.Incident, err)
	}
	if err := k.put(ctx, wantPrefix+w.Incident, value); err != nil {
		return err
	}
	k.wants[w.Incident] = w
	return nil
}

func (k *Keeper) put(ctx context.Context, key string, value []byte) error {
	revision, err := k.opts.Store.Put(ctx, key, value, k.revisions[key])
	if err != nil {
		return err
	}
	k.revisions[key] = revision
	return nil
}

// dropWant forgets an incident that nobody wants any more. What is kept of it stays.
func (k *Keeper) dropWant(ctx context.Context, incident string) error {
	key := wantPrefix + incident
	if err := k.opts.Store.Delete(ctx, key, k.revisions[key]); err != nil {
		return err
	}
	delete(k.revisions, key)
	delete(k.wants, incident)
	return nil
}
