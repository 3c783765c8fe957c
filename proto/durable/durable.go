// Package durable replaces files on disk: after a crash or a loss of power there is
// the old one or the new one, and never a part of either.
package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file that is to take the place of another, or of none, and ends with
// Commit or Discard.
type File struct {
	// next lies beside path under a name that nobody else uses.
	next *os.File
	path string
}

// Replace makes b the file at path, which nobody but its owner may read, and returns
// when that is on disk. With an error the file that was there stays, unless the
// folder alone could not be synced: then a loss of power may bring it back. Every
// error names the file.
func Replace(path string, b []byte) error {
	f, err := Begin(path)
	if err != nil {
		return err
	}
	return f.Commit(b)
}

// Begin opens a file beside path. It fails where the folder cannot be written.
func Begin(path string) (*File, error) {
	next, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return &File{next, path}, nil
}

// Reserve takes n bytes of the disk, so that a full one shows before Commit needs
// them.
func (f *File) Reserve(n int) error {
	_, err := f.next.WriteAt(bytes.Repeat([]byte{' '}, n), 0)
	if err == nil {
		err = f.next.Sync()
	}
	return f.named(err)
}

// Write adds to the file what is too large to be held in memory; Finish ends it.
func (f *File) Write(b []byte) (int, error) {
	n, err := f.next.Write(b)
	return n, f.named(err)
}

// ReadAt reads what was written, before it is in place.
func (f *File) ReadAt(b []byte, offset int64) (int, error) { return f.next.ReadAt(b, offset) }

// Finish puts the file in place with what was written, as Replace does.
func (f *File) Finish() error { return f.run(f.placing()) }

// Commit puts the file in place with b in it, as Replace does.
func (f *File) Commit(b []byte) error { return f.run(f.steps(b)) }

func (f *File) run(steps []func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return errors.Join(f.named(err), f.Discard())
		}
	}
	return nil
}

// steps are those of Commit: what is on disk before the name is, and the name before
// anybody hears of it.
func (f *File) steps(b []byte) []func() error {
	return append([]func() error{
		func() error { _, err := f.next.WriteAt(b, 0); return err },
		func() error { return f.next.Truncate(int64(len(b))) }, // more may have been reserved
	}, f.placing()...)
}

// placing are the steps from what is written to the file in its place.
func (f *File) placing() []func() error {
	return []func() error{
		f.next.Sync,
		f.next.Close,
		func() error { return os.Rename(f.next.Name(), f.path) },
		func() error { return SyncFolder(filepath.Dir(f.path)) },
	}
}

// Discard leaves what is at the path as it is, and nothing beside it. After Commit it
// does nothing.
func (f *File) Discard() error {
	closing := f.next.Close()
	if errors.Is(closing, fs.ErrClosed) {
		closing = nil
	}
	removing := os.Remove(f.next.Name())
	if errors.Is(removing, fs.ErrNotExist) {
		removing = nil
	}
	return f.named(errors.Join(closing, removing))
}

func (f *File) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write %s: %w", f.path, err)
}

// SyncFolder makes the names in a folder durable: a file that was made, renamed or
// removed there is so after a loss of power too (fsync(2), notes).
func SyncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
