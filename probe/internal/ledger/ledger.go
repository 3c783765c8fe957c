package ledger

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"varde/checks/roundtrip"
)

const (
	// Max is the largest number of mails.
	Max = 2000
	// Keep is how long a mail is known after it was closed. A copy of it that
	// turns up later is removed as one of a mail that nobody knows.
	Keep = 6 * 24 * time.Hour
	// maxFile bounds what is read of one mail, in bytes.
	maxFile = 64 << 10
)

// ErrFull is that there are Max mails that are still looked for.
var ErrFull = errors.New("too many mails are still looked for")

// Options configures a ledger.
type Options struct {
	// Dir is the folder of the ledgers of all owners; it is made. Required.
	Dir string
	// Owner is whose ledger it is: letters and digits. Each has a folder of its
	// own. Required.
	Owner string
	// NoSync leaves it to the system when bytes reach the disk.
	NoSync bool
	// Logger is told of what is damaged or cannot be written. Required.
	Logger *slog.Logger
}

// Ledger is an open ledger. Its methods may be called from many goroutines. It
// has nothing to close.
type Ledger struct {
	opt  Options
	dir  string
	disk disk

	mu    sync.Mutex // protects all following fields
	mails map[string]roundtrip.Mail
	// unwritten are the mails that the disk does not have as they are.
	unwritten map[string]bool
	key       []byte
	keyed     bool // key is on disk
	failing   bool // the last write failed
}

var (
	_ roundtrip.Ledger = (*Ledger)(nil)

	ownerPattern = regexp.MustCompile(`^[0-9a-zA-Z]{1,64}$`)
	filePattern  = regexp.MustCompile(`^[0-9a-f]{32}\.json$`)
)

// Open reads what is there. A file that cannot be read is set aside.
func Open(opt Options) (*Ledger, error) {
	if opt.Logger == nil || opt.Dir == "" || !ownerPattern.MatchString(opt.Owner) {
		return nil, fmt.Errorf("ledger: Dir, Owner (%q) and Logger are required", opt.Owner)
	}
	l := &Ledger{
		opt: opt, dir: filepath.Join(opt.Dir, opt.Owner), disk: disk{sync: !opt.NoSync},
		mails: map[string]roundtrip.Mail{}, unwritten: map[string]bool{},
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of the ledger: %w", err)
	}
	if err := errors.Join(l.readKey(), l.readAll()); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return l, nil
}

const keyFile = "key"

// readKey reads the key, or makes one.
func (l *Ledger) readKey() error {
	key, err := os.ReadFile(filepath.Join(l.dir, keyFile))
	if err == nil && len(key) == roundtrip.KeySize {
		l.key, l.keyed = key, true
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		l.opt.Logger.Warn("the key of the ledger is damaged and is made anew", "folder", l.dir)
	}
	l.key = make([]byte, roundtrip.KeySize)
	rand.Read(l.key) // never returns an error
	return nil
}

func (l *Ledger) readAll() error {
	files, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(l.dir, f.Name())
		switch {
		case strings.HasSuffix(f.Name(), newSuffix): // a write that was not finished
			_ = os.Remove(path) // it is in nobody's way
		case filePattern.MatchString(f.Name()):
			if err := l.readOne(path); err != nil {
				l.opt.Logger.Error("a mail of the ledger is damaged and is set aside", "file", path, "error", err)
				if err := os.Rename(path, path+".damaged"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (l *Ledger) readOne(path string) error {
	b, err := readFile(path)
	if err != nil {
		return err
	}
	var m roundtrip.Mail
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	if m.ID+".json" != filepath.Base(path) || m.Written.IsZero() {
		return fmt.Errorf("it holds the mail %.40q, expected another", m.ID)
	}
	l.mails[m.ID] = m
	return nil
}

// Key signs the mails of this ledger. It must not be changed.
func (l *Ledger) Key() []byte { return l.key }

// Enter keeps a mail that is about to be sent. When it returns without an error
// the mail is on disk.
func (l *Ledger) Enter(m roundtrip.Mail) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.roomLocked() {
		return ErrFull
	}
	err := l.writeKeyLocked()
	if err == nil {
		err = l.writeLocked(m)
	}
	if err != nil {
		l.forgetLocked(m.ID) // the last step may have failed alone
		return fmt.Errorf("enter mail: %w", err)
	}
	l.mails[m.ID] = m
	return nil
}

func (l *Ledger) writeKeyLocked() error {
	if l.keyed {
		return nil
	}
	err := l.disk.replace(filepath.Join(l.dir, keyFile), l.key)
	l.keyed = err == nil
	return err
}

// roomLocked makes room for one more mail, and says whether there is any.
func (l *Ledger) roomLocked() bool {
	for len(l.mails) >= Max {
		closed := l.listLocked(func(m roundtrip.Mail) bool { return !m.IsOpen() && m.Told })
		if len(closed) == 0 {
			return false
		}
		l.forgetLocked(closed[0].ID)
	}
	return true
}

// Withdraw forgets a mail that was certainly never sent.
func (l *Ledger) Withdraw(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgetLocked(id)
	_ = l.disk.flushFolder(l.dir) // else it may come back, and end as one of which nothing is known
}

// forgetLocked forgets a mail. A file that cannot be removed comes back with the
// next start, and is followed to its end then.
func (l *Ledger) forgetLocked(id string) {
	delete(l.mails, id)
	delete(l.unwritten, id)
	if err := os.Remove(l.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.opt.Logger.Warn("a mail of the ledger cannot be removed", "mail", id, "error", err)
	}
}

// Change changes a mail and returns what it is now; ok is false if there is none
// of that id. What the disk does not take is written later.
func (l *Ledger) Change(id string, change func(*roundtrip.Mail)) (m roundtrip.Mail, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m, ok = l.mails[id]; !ok {
		return m, false
	}
	change(&m)
	l.mails[id] = m
	l.unwritten[id] = true
	l.flushLocked()
	return m, true
}

// Mail returns the mail of an id.
func (l *Ledger) Mail(id string) (m roundtrip.Mail, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m, ok = l.mails[id]
	return m, ok
}

// List returns the mails that want says, the oldest first.
func (l *Ledger) List(want func(roundtrip.Mail) bool) []roundtrip.Mail {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.listLocked(want)
}

func (l *Ledger) listLocked(want func(roundtrip.Mail) bool) []roundtrip.Mail {
	var all []roundtrip.Mail
	for _, m := range l.mails {
		if want(m) {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b roundtrip.Mail) int {
		return cmp.Or(a.Written.Compare(b.Written), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// Tidy writes what the disk did not take before, and forgets what was closed
// more than Keep ago.
func (l *Ledger) Tidy() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushLocked()
	for _, m := range l.listLocked(func(m roundtrip.Mail) bool { return !m.IsOpen() && time.Since(m.Closed) > Keep }) {
		l.forgetLocked(m.ID)
	}
}

// flushLocked writes what is not on disk. It says once that it cannot.
func (l *Ledger) flushLocked() {
	for id := range l.unwritten {
		if err := l.writeLocked(l.mails[id]); err != nil {
			if !l.failing {
				l.opt.Logger.Error("the ledger of mails cannot be written, it is kept in memory", "error", err)
			}
			l.failing = true
			return
		}
		delete(l.unwritten, id)
	}
	l.failing = false
}

func (l *Ledger) writeLocked(m roundtrip.Mail) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return l.disk.replace(l.path(m.ID), b)
}

func (l *Ledger) path(id string) string { return filepath.Join(l.dir, id+".json") }
