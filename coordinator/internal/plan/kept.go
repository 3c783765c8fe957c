package plan

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"varde/proto/durable"
	"varde/proto/wire"
)

// keptFile is the newest plan on disk.
const keptFile = "plan.json"

// kept is the newest plan as it was signed, and what tells whether the next one
// would be another.
type kept struct {
	Generation uint64 `json:"generation"`
	Revision   uint64 `json:"revision"`
	// Content is the hash of everything but number and time.
	Content   digest            `json:"content_sha256"`
	Plan      []byte            `json:"plan"`
	Signature []byte            `json:"signature"`
	Sealed    map[string]sealed `json:"sealed,omitempty"`
	// notes are what the operator was told when it was made.
	notes []note
}

// sealed is one probe's secrets, encrypted to its key.
type sealed struct {
	Recipient string `json:"recipient"`
	// Names of the secrets in it, sorted.
	Names []string `json:"names"`
	// Fingerprint of what is in it.
	Fingerprint []byte `json:"fingerprint"`
	Bundle      []byte `json:"bundle"`
}

// good says whether a bundle can be used again for a recipient and content.
func (s sealed) good(recipient string, fingerprint []byte) bool {
	return s.Recipient == recipient && len(s.Bundle) > 0 && bytes.Equal(s.Fingerprint, fingerprint)
}

// digest is a SHA-256 sum.
type digest [32]byte

// MarshalText writes lower-case hexadecimal.
func (d digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads what MarshalText writes.
func (d *digest) UnmarshalText(b []byte) error {
	raw, err := hex.AppendDecode(nil, b)
	if err != nil || len(raw) != len(d) {
		return fmt.Errorf("%d characters, expected %d of 0-9 and a-f", len(b), hex.EncodedLen(len(d)))
	}
	*d = digest(raw)
	return nil
}

// number is the number of a plan that may be the last of its generation.
type number wire.PlanNumber

func (k kept) number() number { return number{Generation: k.Generation, Revision: k.Revision} }

// next is the number after n. Where no number is known the generation is the
// time in seconds: should the file ever be lost, the fleet takes the plans
// that come after it all the same.
func (n number) next(at time.Time) wire.PlanNumber {
	if n == (number{}) {
		return wire.PlanNumber{Generation: uint64(max(at.Unix(), 1)), Revision: 1}
	}
	return wire.PlanNumber{Generation: n.Generation, Revision: n.Revision + 1}
}

// Supersede makes the next plan of a folder newer than any that the coordinator which
// it was copied from can have made since: a probe takes only a larger number, and how
// far the other one went nobody knows. No coordinator may use the folder.
func Supersede(dir string, at time.Time) error {
	k, err := readKept(dir)
	if err == nil {
		err = writeKept(dir, kept{Generation: max(k.Generation+1, uint64(max(at.Unix(), 1))), Revision: 1})
	}
	if err != nil {
		return fmt.Errorf("begin a new generation of plans: %w", err)
	}
	return nil
}

// signed is the plan as it travels.
func (k kept) signed() wire.SignedPlan {
	s := wire.SignedPlan{Plan: k.Plan, Signature: k.Signature}
	for name, sealed := range k.Sealed {
		if s.Bundles == nil {
			s.Bundles = map[string][]byte{}
		}
		s.Bundles[name] = sealed.Bundle
	}
	return s
}

// readKept returns the zero value where there is no plan yet.
func readKept(dir string) (kept, error) {
	path := filepath.Join(dir, keptFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return kept{}, nil
	}
	if err != nil {
		return kept{}, err
	}
	var k kept
	if err := json.Unmarshal(b, &k); err != nil {
		return kept{}, fmt.Errorf("read %s: %w; remove it to begin a new generation", path, err)
	}
	if k.Generation == 0 || k.Revision == 0 {
		return kept{}, fmt.Errorf("read %s: number %d.%d, expected both above zero; remove it to begin a new generation", path, k.Generation, k.Revision)
	}
	return k, nil
}

// writeKept replaces the file as a whole, readable by its owner only: a plan
// holds the keys of the mesh.
func writeKept(dir string, k kept) error {
	b, err := json.Marshal(k)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return durable.Replace(filepath.Join(dir, keptFile), b)
}
