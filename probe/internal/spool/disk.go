package spool

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// disk is what can fail when something is written; tests put a failing one in its place.
type disk interface {
	write(f *os.File, b []byte, at int64) error
	sync(f *os.File) error
	rename(from, to string) error
	syncDir(path string) error
}

// systemDisk is the machine's disk; without fsync, syncing does nothing.
type systemDisk struct{ fsync bool }

func (systemDisk) write(f *os.File, b []byte, at int64) error {
	_, err := f.WriteAt(b, at)
	return err
}

func (d systemDisk) sync(f *os.File) error {
	if !d.fsync {
		return nil
	}
	return f.Sync()
}

func (systemDisk) rename(from, to string) error { return os.Rename(from, to) }

// syncDir makes the names in a folder durable.
func (d systemDisk) syncDir(path string) error {
	if !d.fsync {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// writeWhole makes a file that is on disk when it returns, all but its name.
func writeWhole(d disk, path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err = d.write(f, b, 0); err == nil {
		err = d.sync(f)
	}
	return errors.Join(err, f.Close())
}

// lockFolder takes the lock of a folder, which the system frees when the file
// is closed or the program dies. It does not wait.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
