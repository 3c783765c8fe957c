package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ownerFile says whose observations a folder holds.
const ownerFile = "owner"

// enter makes the folder and takes its lock. The folder of another probe, which
// this machine was before it joined anew, is set aside under a name of its own:
// nobody may send under one name what was seen under another.
func (o *Options) enter() (lock *os.File, err error) {
	if lock, err = o.lockFolder(); err != nil {
		return nil, err
	}
	owner, err := os.ReadFile(filepath.Join(o.Dir, ownerFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("whose spool is it: %w", err), lock.Close())
	}
	if len(owner) == 0 || bytes.Equal(owner, []byte(o.Owner)) {
		return lock, nil
	}
	aside := o.Dir + "." + o.Epoch
	err = os.Rename(o.Dir, aside)
	if err = errors.Join(err, lock.Close()); err != nil {
		return nil, fmt.Errorf("set aside the spool of another probe: %w", err)
	}
	o.Logger.Warn("the spool of the probe that this machine was before is set aside and will not be sent", "folder", aside)
	return o.lockFolder()
}

func (o *Options) lockFolder() (*os.File, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make spool folder: %w", err)
	}
	lock, err := lockFolder(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("lock spool %s: %w", o.Dir, err)
	}
	return lock, nil
}

// own writes whose folder it is, the whole name or nothing.
func (o *Options) own(d disk) error {
	path := filepath.Join(o.Dir, ownerFile)
	if owner, err := os.ReadFile(path); o.Owner == "" || err == nil && bytes.Equal(owner, []byte(o.Owner)) {
		return nil
	}
	err := writeWhole(d, path+".new", []byte(o.Owner))
	if err == nil {
		err = d.rename(path+".new", path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("name the owner of the spool: %w", err), os.RemoveAll(path+".new"))
	}
	return nil // the folder is synced with the first epoch
}
