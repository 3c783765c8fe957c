package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// defaultReserve is 64 MiB: room for a day of the history of a large fleet, and
// for an operator to log in and clear up.
const defaultReserve = 64 << 20

// Lock keeps every journal out of a folder, and makes it if need be, until unlock is
// called. It fails where one is open.
func Lock(dir string) (unlock func() error, err error) { return lockFolder(dir) }

// lockFolder makes the folder if need be and keeps other processes out of it.
// The lock goes with the process, however it ends.
func lockFolder(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock folder: %s is used by another process", dir)
		}
		return nil, fmt.Errorf("lock folder: %s: %w", dir, err)
	}
	return f.Close, nil
}

// freeSpace is how many bytes the disk of a folder has free for us.
func freeSpace(dir string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("ask for free space: %s: %w", dir, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// checkSpace refuses when less than reserve bytes are free for us.
func checkSpace(dir string, reserve int64) error {
	if reserve < 0 {
		return nil
	}
	free, err := freeSpace(dir)
	if err != nil {
		return err
	}
	if free < uint64(reserve) {
		return fmt.Errorf("disk of %s has %d MiB free, expected at least %d MiB: %w",
			dir, free>>20, reserve>>20, syscall.ENOSPC)
	}
	return nil
}
