package plan

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"filippo.io/age"

	"varde/checks"
	"varde/coordinator/internal/config"
	"varde/proto/wire"
)

// secret is one password or key and what needs it.
type secret struct {
	value string
	file  string
	uses  []use
}

// use is one place in the checks at which a secret is needed.
type use struct {
	target checks.Target
	login  bool
}

// neededBy says whether one of the probe's checks uses the secret.
func (s secret) neededBy(p Probe) bool {
	return slices.ContainsFunc(s.uses, func(u use) bool {
		return u.target.In(p.Region) && (!u.login || u.target.MayLogIn(p.Name))
	})
}

// readSecrets reads the password files of all checks, by the secrets' names.
func readSecrets(targets []checks.Target) (map[string]secret, error) {
	secrets := map[string]secret{}
	var errs []error
	for _, t := range targets {
		for field, ref := range t.Secrets() {
			s, known := secrets[ref.Name]
			if known && s.file != ref.File {
				errs = append(errs, fmt.Errorf("check %q: %s: %q names two files, %s and %s", t.ID, field, ref.Name, s.file, ref.File))
				continue
			}
			if !known {
				value, err := config.ReadSecret(field, ref.File)
				if err != nil {
					errs = append(errs, fmt.Errorf("check %q: %s.file: %w", t.ID, field, err))
				}
				s = secret{value: value, file: ref.File}
			}
			s.uses = append(s.uses, use{t, ref != keyOf(t)})
			secrets[ref.Name] = s
		}
	}
	return secrets, errors.Join(errs...)
}

// keyOf is the secret of a target that is no login's; nil if there is none.
func keyOf(t checks.Target) *checks.Secret {
	if t.Client == nil {
		return nil
	}
	return &t.Client.Key
}

// seal returns the bundle of one probe, the former one where recipient and
// content are the same, and nil where the probe needs no secret. Sealing is
// random, so a bundle made anew is always another one.
func (m *Maker) seal(p Probe, secrets map[string]secret, former sealed) (*sealed, error) {
	values := map[string]string{}
	for name, s := range secrets {
		if s.neededBy(p) {
			values[name] = s.value
		}
	}
	if len(values) == 0 {
		return nil, nil
	}
	plain, err := wire.MarshalSecrets(values)
	if err != nil {
		return nil, errors.New("a secret cannot be encoded") // the cause could quote it
	}
	fingerprint := m.fingerprint(plain)
	if former.good(p.Recipient, fingerprint) {
		return &former, nil
	}
	recipient, err := age.ParseX25519Recipient(p.Recipient)
	if err != nil {
		return nil, fmt.Errorf("recipient %.80q: %w", p.Recipient, err)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipient)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &sealed{Recipient: p.Recipient, Names: slices.Sorted(maps.Keys(values)), Fingerprint: fingerprint, Bundle: out.Bytes()}, nil
}

// fingerprint tells whether secrets changed without keeping them. It is keyed,
// so that a copy of the file alone does not let anybody try passwords.
func (m *Maker) fingerprint(plain []byte) []byte {
	key := hmac.New(sha256.New, m.key.Seed())
	key.Write([]byte("varde bundle fingerprint v1"))
	sum := hmac.New(sha256.New, key.Sum(nil))
	sum.Write(plain)
	return sum.Sum(nil)
}
