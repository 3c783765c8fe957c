package evidence

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Report is what a file of evidence shows when it is as it was written.
type Report struct {
	// Key is the public key that vouches for it, in hexadecimal digits.
	Key string
	// Authority is the SHA-256 of the certificate of the fleet's CA, as its author
	// says, in hexadecimal digits.
	Authority string
	// Trusted says that the key is the one that was asked for. Otherwise the file is
	// only known not to have changed since somebody with that key wrote it.
	Trusted bool
	Files   []File
}

// File is one file of evidence.
type File struct {
	Name string
	// Bytes is its size.
	Bytes uint64
	// SHA256 is in hexadecimal digits.
	SHA256 string
}

// Limits of what is read. Evidence has a dozen files, and text of our kind becomes
// thirty times smaller at the most.
const (
	maxFiles    = 64
	maxRatio    = 200
	maxRatioOf  = 1 << 20 // what small files may take whatever their ratio
	maxManifest = 64 << 10
)

// Verify reads a file of evidence and says whether all of it is as it was written:
// every file is listed and nothing else is there, for whatever program reads it, all sums are right, and the signature
// is. With a key it must be that key's; with none, the one that the file names itself.
// Errors name the file inside. Memory does not depend on what is read, and time only on
// size.
func Verify(r io.ReaderAt, size int64, key ed25519.PublicKey) (Report, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return Report{}, fmt.Errorf("open evidence: %w", err)
	}
	files, err := listed(z, size)
	if err == nil {
		err = tiled(r, z.File)
	}
	if err != nil {
		return Report{}, fmt.Errorf("open evidence: %w", err)
	}
	sums, s, err := vouched(files)
	if err != nil {
		return Report{}, err
	}
	out := Report{Key: hex.EncodeToString(s.key), Authority: hex.EncodeToString(s.authority[:]), Trusted: key != nil}
	if key != nil && !s.key.Equal(key) {
		return Report{}, fmt.Errorf("%s: signed by the key %s, expected %x", signatureName, out.Key, []byte(key))
	}
	if len(files) != len(sums)+2 {
		return Report{}, unlisted(files, sums)
	}
	for _, want := range sums {
		f, ok := files[want.name]
		if !ok {
			return Report{}, fmt.Errorf("%s: it is missing, expected it since %s lists it", want.name, manifestName)
		}
		sha, n, err := hashed(f)
		if err != nil {
			return Report{}, err
		}
		if sha != want.sha {
			return Report{}, fmt.Errorf("%s: got the SHA-256 %x, expected %x: it is not as it was written", want.name, sha, want.sha)
		}
		out.Files = append(out.Files, File{want.name, n, hex.EncodeToString(sha[:])})
	}
	return out, nil
}

// listed are the files of an archive by name. What could be read in two ways, or would
// grow too large, is refused.
func listed(z *zip.Reader, size int64) (map[string]*zip.File, error) {
	if n := len(z.File); n > maxFiles {
		return nil, fmt.Errorf("got %d files, expected at most %d", n, maxFiles)
	}
	if z.Comment != "" {
		return nil, fmt.Errorf("got a comment of %d bytes, expected none", len(z.Comment))
	}
	out := make(map[string]*zip.File)
	room := maxRatioOf + maxRatio*uint64(size)
	for _, f := range z.File {
		if err := checkName(f.Name); err != nil {
			return nil, err
		}
		switch {
		case out[f.Name] != nil:
			return nil, fmt.Errorf("%s: there are two of that name, expected one", f.Name)
		case !f.Mode().IsRegular() || f.Comment != "":
			return nil, fmt.Errorf("%s: it is not an ordinary file, expected one", f.Name)
		case f.UncompressedSize64 > room:
			return nil, fmt.Errorf("%s: it would take %d bytes, expected at most %d in a file of %d", f.Name, f.UncompressedSize64, room, size)
		}
		room -= f.UncompressedSize64
		out[f.Name] = f
	}
	return out, nil
}

// vouched are the sums of the manifest and who vouches for them.
func vouched(files map[string]*zip.File) ([]sum, seal, error) {
	text, err := small(files, manifestName)
	if err != nil {
		return nil, seal{}, err
	}
	sealed, err := small(files, signatureName)
	if err != nil {
		return nil, seal{}, err
	}
	s, err := parseSeal(sealed)
	if err != nil {
		return nil, seal{}, err
	}
	if err := s.verify(text); err != nil {
		return nil, seal{}, err
	}
	sums, err := parseManifest(text)
	return sums, s, err
}

// unlisted names what is there beside the files of the manifest, or missing.
func unlisted(files map[string]*zip.File, sums []sum) error {
	names := []string{manifestName, signatureName}
	for _, s := range sums {
		names = append(names, s.name)
		if files[s.name] == nil {
			return fmt.Errorf("%s: it is missing, expected it since %s lists it", s.name, manifestName)
		}
	}
	var extra []string
	for name := range files {
		if !slices.Contains(names, name) {
			extra = append(extra, name)
		}
	}
	slices.Sort(extra)
	return fmt.Errorf("%s: %s does not list it, expected only files that are listed", extra[0], manifestName)
}

// small reads a file that is kept in memory.
func small(files map[string]*zip.File, name string) ([]byte, error) {
	f := files[name]
	if f == nil {
		return nil, fmt.Errorf("%s: it is missing, expected it in evidence", name)
	}
	if f.UncompressedSize64 > maxManifest {
		return nil, fmt.Errorf("%s: %d bytes, expected at most %d", name, f.UncompressedSize64, maxManifest)
	}
	var b bytes.Buffer
	if _, err := unpack(f, &b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// hashed reads a whole file.
func hashed(f *zip.File) (sha [sha256.Size]byte, n uint64, err error) {
	h := sha256.New()
	n, err = unpack(f, h)
	return [sha256.Size]byte(h.Sum(nil)), n, err
}

// unpack writes what a file holds, at most as much as it says.
func unpack(f *zip.File, w io.Writer) (uint64, error) {
	r, err := f.Open()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", f.Name, err)
	}
	defer r.Close()
	n, err := io.Copy(w, io.LimitReader(r, int64(f.UncompressedSize64)+1))
	if err == nil && uint64(n) != f.UncompressedSize64 {
		err = errors.New("it holds more than it says")
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", f.Name, err)
	}
	return uint64(n), nil
}
