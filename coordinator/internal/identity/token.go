package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// Why a token is refused. The sentences are for whoever holds the token.
var (
	ErrTokenUnknown = errors.New("the coordinator does not know this token: a newer one replaced it, its probe was removed, or it expired long ago; `varde-coordinator probe add` prints a new one")
	ErrTokenUsed    = errors.New("this token was used already, each is good for one machine and once; to join again, `varde-coordinator probe remove` and `probe add` print a new one")
	ErrTokenExpired = errors.New("this token has expired; `varde-coordinator probe add` prints a new one")
)

// ErrEnrolled says that a name belongs to a probe of the fleet.
var ErrEnrolled = errors.New("a probe of this name is enrolled already: remove it first")

// NewProbe is what an operator says of a probe that shall join.
type NewProbe struct {
	// Name and Region are ids; required. Site is an id or empty.
	Name, Region, Site string
	// ASN is the autonomous system that the probe stands in, 0 if not known.
	ASN uint32
	// TTL is how long the token can be used; DefaultTTL if zero, at most MaxTTL.
	TTL time.Duration
}

func (p NewProbe) validate() error {
	var errs []error
	for _, f := range []struct{ field, value string }{{"name", p.Name}, {"region", p.Region}, {"site", p.Site}} {
		if !checks.ValidID(f.value) && (f.field != "site" || f.value != "") {
			errs = append(errs, fmt.Errorf("%s: %q, expected 1 to 63 of a-z, 0-9 and -", f.field, f.value))
		}
	}
	if p.TTL < 0 || p.TTL > MaxTTL {
		errs = append(errs, fmt.Errorf("ttl: %s, expected up to %s", p.TTL, MaxTTL))
	}
	return errors.Join(errs...)
}

// Pending is a token that nobody has used yet.
type Pending struct {
	Name, Region, Site string
	ASN                uint32
	Expires            time.Time
}

// AddProbe makes a token by which one machine can join under the given name.
// A token of that name that was not used is replaced. Where a probe of that
// name is enrolled the error is ErrEnrolled.
func (a *Authority) AddProbe(ctx context.Context, p NewProbe) (wire.Token, error) {
	if err := p.validate(); err != nil {
		return wire.Token{}, fmt.Errorf("add probe: %w", err)
	}
	t := wire.Token{CASHA256: sha256.Sum256(a.keys.authority.Raw), Coordinators: a.Coordinators()}
	if len(t.Coordinators) == 0 {
		return wire.Token{}, errors.New("add probe: no address to advertise: expected advertise: [HOST:PORT] in the configuration")
	}
	if p.TTL == 0 {
		p.TTL = DefaultTTL
	}
	rand.Read(t.ID[:])
	rand.Read(t.Secret[:])
	secret := sha256.Sum256(t.Secret[:])
	fresh := record{Name: p.Name, Region: p.Region, Site: p.Site, ASN: p.ASN, Token: tokenRecord{
		ID: t.ID[:], SecretSHA256: secret[:], Expires: time.Now().Add(p.TTL).UTC().Round(0),
	}}
	if _, err := a.update(ctx, p.Name, func(r record, exists bool) (record, error) {
		if exists && r.Member != nil {
			return record{}, fmt.Errorf("%w (%s in %s since %s)", ErrEnrolled, r.Name, r.Region, r.Member.Enrolled.Format(time.DateOnly))
		}
		return fresh, nil
	}); err != nil {
		return wire.Token{}, fmt.Errorf("add probe: %w", err)
	}
	a.log.Info("token made", "probe", p.Name, "region", p.Region, "expires", fresh.Token.Expires)
	return t, nil
}

// tokenOwner finds the name that a token was made for. Whoever has the wrong
// secret learns no more than whoever has no token.
func (a *Authority) tokenOwner(id, secret [16]byte) (string, error) {
	sum := sha256.Sum256(secret[:])
	a.mu.RLock()
	defer a.mu.RUnlock()
	for name, r := range a.records {
		if r.Token.holds(id, sum) {
			return name, nil
		}
	}
	return "", ErrTokenUnknown
}

// holds compares in constant time: neither id nor secret can be guessed byte
// by byte.
func (t tokenRecord) holds(id [16]byte, secretSHA256 [32]byte) bool {
	return subtle.ConstantTimeCompare(t.ID, id[:])&subtle.ConstantTimeCompare(t.SecretSHA256, secretSHA256[:]) == 1
}

// redeemable says whether the token can still be used at the given time.
func (r record) redeemable(at time.Time) error {
	switch {
	case r.Member != nil:
		return ErrTokenUsed
	case !at.Before(r.Token.Expires):
		return fmt.Errorf("%w (it ended at %s)", ErrTokenExpired, r.Token.Expires.Format(time.RFC3339))
	}
	return nil
}

// forgetTokens drops the records of tokens that expired long ago.
func (a *Authority) forgetTokens(ctx context.Context, at time.Time) error {
	var errs []error
	for _, r := range a.snapshot() {
		if r.Member == nil && at.Sub(r.Token.Expires) >= keepExpired {
			errs = append(errs, a.forget(ctx, r.Name, r.revision))
		}
	}
	return errors.Join(errs...)
}
