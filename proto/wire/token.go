package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	vardev1 "varde/proto/varde/v1"
)

// Token lets one machine join the fleet once. It pins the CA, so that the
// probe needs no other trust than the line that its operator pasted.
type Token struct {
	ID, Secret [16]byte
	// CASHA256 is the hash of the CA certificate's DER.
	CASHA256 [32]byte
	// Coordinators are host:port, at least one.
	Coordinators []string
}

// tokenPrefix tells a person, and a secret scanner, what the string is.
const tokenPrefix = "varde1_"

// ErrToken says that a string is not a token, or is one with a slip in it.
var ErrToken = errors.New("token is damaged or incomplete: copy the whole line that `varde-coordinator probe add` printed")

// String encodes the token for one line of a shell: prefix, message and a
// checksum of 4 bytes in base64url.
func (t Token) String() string {
	b, err := proto.Marshal(&vardev1.JoinToken{
		Id: t.ID[:], Secret: t.Secret[:], CaSha256: t.CASHA256[:], Coordinators: t.Coordinators,
	})
	if err != nil {
		panic(err) // only invalid UTF-8 in an address, which the configuration refuses
	}
	sum := sha256.Sum256(b)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(b, sum[:4]...))
}

// ParseToken reads what String wrote. A slip of the pen is ErrToken, before
// anything is sent anywhere.
func ParseToken(s string) (Token, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(s), tokenPrefix)
	if !ok {
		return Token{}, fmt.Errorf("%w (expected it to begin with %s)", ErrToken, tokenPrefix)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil || len(b) < 4 {
		return Token{}, ErrToken
	}
	body, sum := b[:len(b)-4], sha256.Sum256(b[:len(b)-4])
	if string(sum[:4]) != string(b[len(b)-4:]) {
		return Token{}, ErrToken
	}
	m := new(vardev1.JoinToken)
	if err := proto.Unmarshal(body, m); err != nil {
		return Token{}, ErrToken
	}
	if len(m.GetId()) != 16 || len(m.GetSecret()) != 16 || len(m.GetCaSha256()) != 32 ||
		len(m.GetCoordinators()) == 0 || slices.Contains(m.GetCoordinators(), "") {
		return Token{}, ErrToken
	}
	return Token{
		ID: [16]byte(m.GetId()), Secret: [16]byte(m.GetSecret()),
		CASHA256: [32]byte(m.GetCaSha256()), Coordinators: m.GetCoordinators(),
	}, nil
}
