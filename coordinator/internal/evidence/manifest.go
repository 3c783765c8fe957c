package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The names of the two files that vouch for all others.
const (
	manifestName  = "MANIFEST.sha256"
	signatureName = "MANIFEST.sig"
)

// domain separates a signature of evidence from any other use of the key: a plan's
// begins otherwise.
const domain = "varde evidence v1\n"

// sum is one line of a manifest.
type sum struct {
	name string
	sha  [sha256.Size]byte
}

// manifest writes sums as `sha256sum -c` reads them.
func manifest(sums []sum) []byte {
	var b bytes.Buffer
	for _, s := range sums {
		fmt.Fprintf(&b, "%x  %s\n", s.sha, s.name)
	}
	return b.Bytes()
}

// parseManifest reads what manifest writes, and nothing that another program could
// read otherwise: each name stands once, and is that of a file beside it.
func parseManifest(text []byte) ([]sum, error) {
	var out []sum
	seen := make(map[string]bool)
	rest := string(text)
	for n := 1; rest != ""; n++ {
		line, after, ok := strings.Cut(rest, "\n")
		rest = after
		digits, name, two := strings.Cut(line, "  ")
		s := sum{name: name}
		if !ok || !two || !fromHex(s.sha[:], digits) {
			return nil, fmt.Errorf("%s:%d: got %.100q, expected 64 hexadecimal digits, two spaces and a name", manifestName, n, line)
		}
		if err := checkName(name); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", manifestName, n, err)
		}
		if seen[name] || name == manifestName || name == signatureName {
			return nil, fmt.Errorf("%s:%d: %s once more, expected each file of evidence once", manifestName, n, name)
		}
		seen[name] = true
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: got no line, expected one for each file", manifestName)
	}
	return out, nil
}

// maxName is the largest length of a file's name, in bytes.
const maxName = 64

// checkName refuses what is not the plain name of a file.
func checkName(name string) error {
	strange := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	}
	if name == "" || len(name) > maxName || name[0] == '.' || strings.ContainsFunc(name, strange) {
		return fmt.Errorf("file %.100q, expected a name of letters, digits, dots and hyphens", name)
	}
	return nil
}

// seal says who vouches for a manifest.
type seal struct {
	key ed25519.PublicKey
	// authority is the SHA-256 of the certificate of the CA of the fleet.
	authority [sha256.Size]byte
	signature []byte
}

// signed are the bytes that are signed: the whole of the seal but the signature, and
// the manifest.
func (s seal) signed(manifest []byte) []byte {
	return slices.Concat([]byte(domain), []byte(s.head()), manifest)
}

func (s seal) head() string {
	return fmt.Sprintf("key: %x\nauthority: %x\n", []byte(s.key), s.authority)
}

// sign makes the seal of a manifest.
func sign(key ed25519.PrivateKey, authority, manifest []byte) (seal, error) {
	if len(key) != ed25519.PrivateKeySize {
		return seal{}, fmt.Errorf("sign manifest: key of %d bytes, expected %d", len(key), ed25519.PrivateKeySize)
	}
	s := seal{key: key.Public().(ed25519.PublicKey), authority: sha256.Sum256(authority)}
	s.signature = ed25519.Sign(key, s.signed(manifest))
	return s, nil
}

// errSignature says that a manifest was not signed by the key that is expected.
var errSignature = errors.New(signatureName + ": signature does not fit the manifest and the key")

// verify says whether the seal is that of the manifest.
func (s seal) verify(manifest []byte) error {
	if !ed25519.Verify(s.key, s.signed(manifest), s.signature) {
		return errSignature
	}
	return nil
}

// text is the seal as it stands in its file.
func (s seal) text() []byte {
	return []byte(domain + s.head() + "signature: " + base64.StdEncoding.EncodeToString(s.signature) + "\n")
}

// parseSeal reads what text writes.
func parseSeal(text []byte) (seal, error) {
	s := seal{key: make(ed25519.PublicKey, ed25519.PublicKeySize)}
	rest, ok := bytes.CutPrefix(text, []byte(domain))
	if !ok {
		return seal{}, fmt.Errorf("%s:1: got %.40q, expected %q", signatureName, text, domain)
	}
	lines := strings.Split(string(rest), "\n")
	for i, want := range []struct {
		name string
		take func(string) bool
	}{
		{"key: ", func(v string) bool { return fromHex(s.key, v) }},
		{"authority: ", func(v string) bool { return fromHex(s.authority[:], v) }},
		{"signature: ", func(v string) (ok bool) { s.signature, ok = fromBase64(v); return ok }},
	} {
		value, ok := "", i < len(lines)
		if ok {
			value, ok = strings.CutPrefix(lines[i], want.name)
		}
		if !ok || !want.take(value) {
			return seal{}, fmt.Errorf("%s:%d: got %.100q, expected %q and its value", signatureName, i+2, strings.Join(lines[min(i, len(lines)):], "\n"), want.name)
		}
	}
	if !bytes.Equal(s.text(), text) {
		return seal{}, fmt.Errorf("%s: got more than a seal, expected nothing after the signature", signatureName)
	}
	return s, nil
}

// fromHex reads lower-case hexadecimal digits that fill out exactly.
func fromHex(out []byte, digits string) bool {
	b, err := hex.DecodeString(digits)
	return err == nil && len(b) == len(out) && strings.ToLower(digits) == digits && copy(out, b) == len(out)
}

func fromBase64(text string) ([]byte, bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	return b, err == nil && len(b) == ed25519.SignatureSize
}
