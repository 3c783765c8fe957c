package incident

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"varde/checks"
)

// Key is by what the trouble of a series is taken for part of an incident: the same
// group of phases, or one that both have a part of, at the same time, of the same
// service or on the same network. It says with which series the incident began, and
// does not change.
type Key struct {
	Service  string   `json:"service"`
	Networks []string `json:"networks,omitempty"`
	Group    Group    `json:"group"`
	// Start is when it began as far as was known then, cut to the minute.
	Start time.Time `json:"start"`
	// Check, Region and Family are those of the series. A draft has a check alone.
	Check  string        `json:"check"`
	Region string        `json:"region,omitempty"`
	Family checks.Family `json:"family,omitzero"`
	// Nth counts from 1 where the id without it was that of another incident.
	Nth int `json:"nth,omitempty"`
}

// idLetters are the digits of the last part of an id: lower-case, and none that is
// easily taken for another (Crockford's base 32).
const idLetters = "0123456789abcdefghjkmnpqrstvwxyz"

// idLength is how many of them there are: 25 bits. Only incidents of one service and
// day can have the same, and those are told apart by Nth.
const idLength = 5

// ID is the id of the incident with this key: "2021-10-21-imap-4k7qx", the day on
// which it began in UTC, the service, and a few digits of the SHA-256 of the key.
func (k Key) ID() string {
	k.Start = k.Start.UTC()
	// A key holds nothing that has no JSON.
	text, _ := json.Marshal(k)
	sum := sha256.Sum256(text)
	digits := base32.NewEncoding(idLetters).EncodeToString(sum[:])
	return k.Start.Format("2006-01-02") + "-" + k.Service + "-" + digits[:idLength]
}

// free is the key with an id that is not taken.
func (k Key) free(taken func(id string) bool) Key {
	for taken(k.ID()) {
		k.Nth++
	}
	return k
}

// Same says whether two records are of one incident: those with one id are. An error
// says that one id stands for two keys, which must not be stored over one another.
func Same(a, b *Incident) (bool, error) {
	if a.ID != b.ID {
		return false, nil
	}
	if x, y := a.Key, b.Key; x.Service != y.Service || x.Group != y.Group || !x.Start.Equal(y.Start) || x.Check != y.Check ||
		x.Region != y.Region || x.Family != y.Family || x.Nth != y.Nth || !slices.Equal(x.Networks, y.Networks) {
		return false, fmt.Errorf("incident %s: got the key %+v, expected %+v, which has the same id", a.ID, b.Key, a.Key)
	}
	return true, nil
}
