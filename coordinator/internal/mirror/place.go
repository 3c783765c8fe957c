package mirror

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"varde/proto/document"
	"varde/proto/durable"
)

// place is how far a mirror is, and what it lost on the way. It is what stands in its
// file.
type place struct {
	// Journal is the last entry of the journal that the server has taken, Verdict the
	// number of the last change.
	Journal uint64 `json:"journal"`
	Verdict int64  `json:"verdict"`
	// Written counts the points that the server took.
	Written uint64 `json:"written"`
	// Refused counts the points that it did not take although it took the rest of a
	// batch; RefusedAt is when it last did so, Words are what it said.
	Refused   uint64    `json:"refused"`
	RefusedAt time.Time `json:"refused_at,omitzero"`
	Words     string    `json:"words,omitempty"`
	// Missed counts the entries that the journal did not hold any more.
	Missed   uint64    `json:"missed"`
	MissedAt time.Time `json:"missed_at,omitzero"`
}

// maxPlace bounds the file, in bytes.
const maxPlace = 16 << 10

func placeFile(dir, id string) string { return filepath.Join(dir, id+".json") }

// loadPlace returns what stands in the file of a mirror; found is false where there
// is none yet.
func loadPlace(dir, id string) (p place, found bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return p, false, fmt.Errorf("mirror %s: %w", id, err)
	}
	b, err := document.ReadFile(placeFile(dir, id), maxPlace)
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		return p, false, fmt.Errorf("read place of mirror %s in %s: %w", id, placeFile(dir, id), err)
	}
	return p, true, nil
}

func (p place) save(dir, id string) error {
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write place of mirror %s: %w", id, err)
	}
	return durable.Replace(placeFile(dir, id), append(b, '\n'))
}
