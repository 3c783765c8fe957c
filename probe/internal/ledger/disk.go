package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// newSuffix ends the name of a file that is being written.
const newSuffix = ".new"

// disk writes files whole or not at all.
type disk struct {
	sync bool
	// step is asked before each step of a write, with its name; nil allows all.
	// Tests stop there.
	step func(string) error
}

// replace puts a file in place of what is there. The file belongs to this user
// alone.
func (d disk) replace(path string, b []byte) error {
	f, err := os.OpenFile(path+newSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err = d.may("write"); err == nil {
		_, err = f.Write(b)
	}
	if err == nil {
		err = d.flush(f)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		if err = d.may("rename"); err == nil {
			err = os.Rename(f.Name(), path)
		}
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what is left is in nobody's way
		return err
	}
	return d.flushFolder(filepath.Dir(path))
}

func (d disk) may(step string) error {
	if d.step == nil {
		return nil
	}
	return d.step(step)
}

func (d disk) flush(f *os.File) error {
	if err := d.may("sync"); err != nil || !d.sync {
		return err
	}
	return f.Sync()
}

// flushFolder makes the names in a folder durable.
func (d disk) flushFolder(path string) error {
	if err := d.may("sync folder"); err != nil || !d.sync {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("more than %d bytes", maxFile)
	}
	return b, err
}
