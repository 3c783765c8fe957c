package backup

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"varde/coordinator/internal/journal"
)

// Journal is the journal with what lies beside it, as package journal has it.
type Journal interface {
	Parts(ctx context.Context) (buckets, logs []string, err error)
	Copy(ctx context.Context, name string, w io.Writer) (journal.Part, error)
}

// History is the history, as package history has it.
type History interface {
	Copy(ctx context.Context, temp string, fn func(name, path string) error) error
}

// Source is a running coordinator.
type Source struct {
	// Coordinator and Version are its name and program, Written is now.
	Coordinator, Version string
	Written              time.Time
	// Data is its data folder.
	Data string
	// Config are the paths of its configuration and of all files that it names, the
	// configuration first; empty for one that has no file.
	Config  []string
	Journal Journal
	History History
}

// What lies in a data folder and is no part of the coordinator.
const (
	// temp is where one file of the history at a time is copied.
	temp = "backup.tmp"
	// restoring is where a restoration makes what it puts in place then.
	restoring = "restoring"
	// before and a time name what a restoration found and moved aside.
	before = "before-"
)

// Write writes a backup. After an error what was written is not to be used. No two may
// be written of one data folder at the same time.
func Write(ctx context.Context, w io.Writer, s Source) error {
	b := &writer{Source: s, zip: zip.NewWriter(w)}
	b.manifest = Manifest{Format: format, Coordinator: s.Coordinator, Version: s.Version, Written: s.Written.UTC(), Data: s.Data}
	// What points into something is copied before it.
	for _, step := range []func(context.Context) error{b.files, b.config, b.buckets, b.history, b.logs} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("write backup: %w", err)
		}
	}
	if err := b.finish(); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return nil
}

type writer struct {
	Source
	zip      *zip.Writer
	manifest Manifest
}

// counter knows what was written to it.
type counter struct {
	w     io.Writer
	bytes int64
}

// Write counts and goes on.
func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.bytes += int64(n)
	return n, err
}

// add adds a file of what fn writes.
func (b *writer) add(f File, method uint16, fn func(io.Writer, *File) error) error {
	entry, err := b.zip.CreateHeader(&zip.FileHeader{Name: f.Name, Method: method, Modified: b.Written})
	if err != nil {
		return err
	}
	sum := sha256.New()
	out := &counter{w: io.MultiWriter(entry, sum)}
	if err := fn(out, &f); err != nil {
		return err
	}
	f.Bytes, f.SHA256 = out.bytes, hex.EncodeToString(sum.Sum(nil))
	b.manifest.Files = append(b.manifest.Files, f)
	return nil
}

// addFile adds a file of the disk.
func (b *writer) addFile(f File, from string) (err error) {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return b.add(f, zip.Deflate, func(w io.Writer, _ *File) error {
		_, err := io.Copy(w, file)
		return err
	})
}

// files adds what lies in the data folder: keys, tokens, reports. The folders of the
// journal and the history are copied in their own ways.
func (b *writer) files(context.Context) error {
	return filepath.WalkDir(b.Data, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(b.Data, at)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains([]string{historyFolder, journalFolder, temp, restoring}, rest) || strings.HasPrefix(rest, before)):
			return filepath.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		err = b.addFile(File{Name: path.Join(dataFolder, filepath.ToSlash(rest))}, at)
		if errors.Is(err, fs.ErrNotExist) { // it was put in place of another meanwhile
			return nil
		}
		return err
	})
}

// config adds the configuration and what it names.
func (b *writer) config(context.Context) error {
	for i, from := range b.Config {
		from, err := filepath.Abs(from)
		if err != nil {
			return err
		}
		info, err := os.Stat(from)
		if err != nil {
			return err
		}
		name := path.Join(configFolder, strconv.Itoa(i)+"-"+filepath.Base(from))
		if err := b.addFile(File{Name: name, Path: filepath.Clean(from), Mode: info.Mode().Perm()}, from); err != nil {
			return err
		}
	}
	return nil
}

func (b *writer) buckets(ctx context.Context) error {
	names, _, err := b.Journal.Parts(ctx)
	return errors.Join(err, b.parts(ctx, names))
}

func (b *writer) logs(ctx context.Context) error {
	_, names, err := b.Journal.Parts(ctx)
	return errors.Join(err, b.parts(ctx, names))
}

// parts adds parts of the journal's folder. They are compressed already.
func (b *writer) parts(ctx context.Context, names []string) error {
	for _, name := range names {
		err := b.add(File{Name: path.Join(journalFolder, name)}, zip.Store, func(w io.Writer, f *File) error {
			part, err := b.Journal.Copy(ctx, name, w)
			f.Part = &part
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *writer) history(ctx context.Context) (err error) {
	dir := filepath.Join(b.Data, temp)
	if err := os.RemoveAll(dir); err != nil { // that of a process that was killed
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return b.History.Copy(ctx, dir, func(name, at string) error {
		return b.addFile(File{Name: path.Join(historyFolder, name)}, at)
	})
}

func (b *writer) finish() error {
	data, err := json.MarshalIndent(b.manifest, "", "  ")
	if err != nil {
		return err
	}
	w, err := b.zip.CreateHeader(&zip.FileHeader{Name: manifestName, Method: zip.Deflate, Modified: b.Written})
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	return b.zip.Close()
}
