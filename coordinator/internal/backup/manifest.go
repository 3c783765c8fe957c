package backup

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"varde/coordinator/internal/journal"
)

// format is the version of the layout that is written and read.
const format = 1

// manifestName is the last file of a backup.
const manifestName = "manifest.json"

// The folders of a backup.
const (
	dataFolder    = "data"
	historyFolder = "history"
	journalFolder = "journal"
	configFolder  = "config"
)

// Manifest says what a backup holds.
type Manifest struct {
	Format int `json:"format"`
	// Coordinator and Version are the name and the program of who wrote it.
	Coordinator string    `json:"coordinator"`
	Version     string    `json:"version"`
	Written     time.Time `json:"written"`
	// Data is the data folder that was copied.
	Data string `json:"data"`
	// Files are all others, in the order in which they were written.
	Files []File `json:"files"`
}

// File is one file of a backup.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Path is where a file of the configuration stood, and Mode who could read it; 0 if
	// that was not kept.
	Path string      `json:"path,omitempty"`
	Mode fs.FileMode `json:"mode,omitempty"`
	// Part describes a part of the journal's folder.
	Part *journal.Part `json:"part,omitempty"`
}

// Bytes is the size of all files together.
func (m Manifest) Bytes() (sum int64) {
	for _, f := range m.Files {
		sum += f.Bytes
	}
	return sum
}

// folder is the first part of a file's name, and rest what follows.
func (f File) folder() (folder, rest string) {
	folder, rest, _ = strings.Cut(f.Name, "/")
	return folder, rest
}

// Bounds of what is read of a manifest.
const (
	maxManifest = 16 << 20
	maxFiles    = 20_000
)

// Open reads the manifest of a backup and makes sure that the file holds what it lists
// and nothing else. What is in the files is compared when they are read.
func Open(r io.ReaderAt, size int64) (Manifest, *zip.Reader, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return Manifest{}, nil, fmt.Errorf("%w: it is no backup, or not whole", err)
	}
	m, err := readManifest(z)
	if err != nil {
		return Manifest{}, nil, fmt.Errorf("read %s: %w", manifestName, err)
	}
	return m, z, m.matches(z)
}

func readManifest(z *zip.Reader) (m Manifest, err error) {
	f, err := z.Open(manifestName)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	switch {
	case err != nil:
		return m, err
	case len(b) > maxManifest:
		return m, fmt.Errorf("more than %d bytes", maxManifest)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, err
	}
	if m.Format != format {
		return m, fmt.Errorf("format %d, expected %d: written by another version of the program", m.Format, format)
	}
	return m, nil
}

// matches makes sure that every file is listed once, and every listed one there.
func (m Manifest) matches(z *zip.Reader) error {
	if len(m.Files) > maxFiles {
		return fmt.Errorf("%d files are listed, expected at most %d", len(m.Files), maxFiles)
	}
	listed := map[string]File{}
	for _, f := range m.Files {
		if err := f.valid(); err != nil {
			return err
		}
		if _, ok := listed[f.Name]; ok {
			return fmt.Errorf("%q is listed twice", f.Name)
		}
		listed[f.Name] = f
	}
	for _, f := range z.File {
		if f.Name == manifestName {
			continue
		}
		if l, ok := listed[f.Name]; !ok || uint64(l.Bytes) != f.UncompressedSize64 {
			return fmt.Errorf("%q has %d bytes, and is not listed so", f.Name, f.UncompressedSize64)
		}
		delete(listed, f.Name)
	}
	for name := range listed {
		return fmt.Errorf("%q is missing", name)
	}
	return nil
}

// valid refuses names that lead elsewhere.
func (f File) valid() error {
	folder, rest := f.folder()
	if rest == "" || path.Clean(f.Name) != f.Name || strings.Contains(rest, "..") || strings.ContainsAny(f.Name, "\\\x00") || strings.HasPrefix(rest, "/") || f.Bytes < 0 {
		return fmt.Errorf("%q cannot be the name of a file of a backup", f.Name)
	}
	switch folder {
	case dataFolder:
		return nil
	case historyFolder:
		if !strings.Contains(rest, "/") {
			return nil
		}
	case journalFolder:
		if f.Part != nil && f.Part.Name == rest {
			return nil
		}
	case configFolder:
		if path.IsAbs(f.Path) && path.Clean(f.Path) == f.Path && f.Mode == f.Mode.Perm() {
			return nil
		}
	}
	return fmt.Errorf("%q is not where a file of a backup is", f.Name)
}
