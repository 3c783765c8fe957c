package spool

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"varde/proto/wire"
)

// Sizes of a spool, in bytes.
const (
	// DefaultMaxBytes holds 72 hours without a coordinator of 50 checks every 30 s
	// over both families: 864,000 observations, which take 45 to 60 bytes each
	// when they are compressed and 450 to 550 before that.
	DefaultMaxBytes = 64 << 20
	// MinMaxBytes is the least that Open takes.
	MinMaxBytes = 64 << 10
	// largestSegment is where a new segment begins: what is dropped and what is
	// removed goes by whole segments, so they must not be large.
	largestSegment = 1 << 20
	// maxEpochs bounds what a program that dies at every start leaves behind.
	maxEpochs = 1000
)

// Errors that a caller may want to tell from others.
var (
	// ErrClosed says that the spool was closed.
	ErrClosed = errors.New("spool is closed")
	// ErrLocked says that another program uses the folder.
	ErrLocked = errors.New("in use by another probe")
)

// Options configure a spool.
type Options struct {
	// Dir is the folder, made if it is missing and used by one program at a
	// time. Required.
	Dir string
	// Epoch names this life of the program, see NewEpoch. It must not exist in
	// Dir, where it gets a folder with its first observation. Required.
	Epoch string
	// Owner names the probe whose observations these are. What another one left
	// in Dir is set aside; an owner that is not known is taken for this one.
	Owner string
	// MaxBytes bounds the segments of all epochs together, DefaultMaxBytes if 0,
	// at least MinMaxBytes.
	MaxBytes int64
	// NoSync leaves it to the system when bytes reach the disk: for tests and
	// machines whose death need not be survived.
	NoSync bool
	// Logger is told of losses; slog.Default if nil.
	Logger *slog.Logger
}

func (o *Options) validate() error {
	o.MaxBytes = cmp.Or(o.MaxBytes, DefaultMaxBytes)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	switch {
	case o.Dir == "":
		return errors.New("spool: no folder given")
	case !epochPattern.MatchString(o.Epoch):
		return fmt.Errorf("spool: epoch %q, expected 1 to 64 of a-z, 0-9 and -", o.Epoch)
	case o.MaxBytes < MinMaxBytes:
		return fmt.Errorf("spool: bound of %d bytes, expected at least %d", o.MaxBytes, MinMaxBytes)
	}
	return nil
}

var epochPattern = regexp.MustCompile(`^[0-9a-z-]{1,64}$`)

// NewEpoch returns the name of a life of the program that starts now: the time
// in milliseconds as 12 hexadecimal digits, a hyphen and 8 random ones, because
// a machine restored from a snapshot can start at the same time twice. Names
// sort by time.
func NewEpoch(now time.Time) string {
	var r [4]byte
	rand.Read(r[:]) // never returns an error
	return fmt.Sprintf("%012x-%x", uint64(now.UnixMilli())&(1<<48-1), r)
}

// Spool is an open spool. Its methods may be called from many goroutines.
type Spool struct {
	opt   Options
	lock  *os.File
	ready chan struct{}
	// disk is what a test replaces to make writes fail.
	disk disk
	// work is what goes on beside the calls and ends before Close does.
	work sync.WaitGroup
	// waiting counts the appends that have not returned, refused what came when
	// they were too many.
	waiting atomic.Int64
	refused refusals

	// commitMu is held by whoever writes; it is taken before mu.
	commitMu sync.Mutex
	// file is that of the active segment; nil when the next write begins one.
	// Guarded by commitMu.
	file *os.File

	mu sync.Mutex // protects all following fields
	// active is the segment that is written to, nil for none.
	active *segment
	batch  *batch
	// committed is when a batch was last begun to be written.
	committed time.Time
	lastSeq   uint64
	closed    bool
	dropped   uint64
	// compressing says that somebody does, and unfinishedBytes what that takes on
	// disk for the moment.
	compressing     bool
	unfinishedBytes int64
	// epochs are the old ones by name, then the current one.
	epochs []*epoch
}

// Open opens the spool in opt.Dir, recovers what earlier epochs left, and
// begins the new one. It fails with ErrLocked when another program has the
// folder open.
func Open(opt Options) (*Spool, error) {
	if err := opt.validate(); err != nil {
		return nil, err
	}
	lock, err := opt.enter()
	if err != nil {
		return nil, err
	}
	s := &Spool{opt: opt, lock: lock, ready: make(chan struct{}, 1), disk: systemDisk{!opt.NoSync}, batch: newBatch(0)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.recoverLocked(); err != nil {
		return nil, fmt.Errorf("open spool %s: %w", opt.Dir, errors.Join(err, lock.Close()))
	}
	s.compressLocked()
	return s, nil
}

func (s *Spool) recoverLocked() error {
	if err := os.RemoveAll(filepath.Join(s.opt.Dir, unfinished)); err != nil {
		return err
	}
	if err := s.recoverEpochsLocked(); err != nil {
		return err
	}
	if len(s.epochs) > 0 {
		s.signal()
	}
	cur := &epoch{name: s.opt.Epoch, dir: filepath.Join(s.opt.Dir, s.opt.Epoch)}
	if _, err := os.Lstat(cur.dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("begin epoch: %w", cmp.Or(err, fs.ErrExist))
	}
	s.epochs = append(s.epochs, cur)
	s.makeRoomLocked(0)
	return nil
}

// recoverEpochsLocked reads the epochs there are, the oldest first, and removes those
// with nothing left in them and those that are too many.
func (s *Spool) recoverEpochsLocked() error {
	entries, err := os.ReadDir(s.opt.Dir)
	if err != nil {
		return err
	}
	for _, d := range entries {
		if !d.IsDir() || !epochPattern.MatchString(d.Name()) || d.Name() == s.opt.Epoch {
			continue
		}
		e, err := recoverEpoch(filepath.Join(s.opt.Dir, d.Name()), d.Name(), !s.opt.NoSync, s.opt.Logger)
		if err != nil {
			return err
		}
		if e.empty() {
			if err := e.remove(); err != nil {
				s.opt.Logger.Warn("spent epoch is left over", "epoch", e.name, "error", err)
			}
			continue
		}
		s.epochs = append(s.epochs, e)
	}
	for len(s.epochs) >= maxEpochs {
		e := s.epochs[0]
		s.opt.Logger.Error("epoch dropped, there are too many", "epoch", e.name, "records", e.waiting(), "max", maxEpochs)
		if err := e.remove(); err != nil {
			return err
		}
		s.epochs = s.epochs[1:]
	}
	return nil
}

// Close writes what is being appended and closes the spool. What it holds stays
// for the next Open. Closing twice does no harm.
func (s *Spool) Close() error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.commit()
	s.work.Wait()
	var err error
	if s.file != nil {
		err = s.file.Close()
	}
	if err = errors.Join(err, s.lock.Close()); err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}

// Epochs returns the epochs that have something to hand out, the oldest first,
// and then the current one.
func (s *Spool) Epochs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, len(s.epochs))
	for i, e := range s.epochs {
		names[i] = e.name
	}
	return names
}

// Epoch is the current epoch.
func (s *Spool) Epoch() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.currentLocked().name
}

// Last is the number that was given last in the current epoch, 0 for none.
func (s *Spool) Last() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastSeq
}

// Ready is signalled after something was appended, and once when an earlier
// epoch left something to hand out. One signal may stand for many appends.
func (s *Spool) Ready() <-chan struct{} { return s.ready }

func (s *Spool) signal() {
	select {
	case s.ready <- struct{}{}:
	default: // a signal is waiting already
	}
}

// Next returns up to limit records (at most wire.MaxRecords) of an epoch that come
// after the given sequence number, in order and without a hole: the first one
// begins at after+1. It returns none when there is no more, or no such epoch.
// Records that were acknowledged are not kept; asked for those, Next returns a
// gap that stands for them.
func (s *Spool) Next(name string, after uint64, limit int) ([]wire.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.findLocked(name)
	if s.closed {
		return nil, ErrClosed
	} else if e == nil || limit <= 0 {
		return nil, nil
	}
	for {
		recs, g, err := e.next(after, min(limit, wire.MaxRecords))
		var f *fault
		if !errors.As(err, &f) {
			if err != nil {
				err = fmt.Errorf("read spool: %w", err)
			}
			return recs, err
		}
		s.damagedLocked(e, g, f)
	}
}

// damagedLocked gives up what cannot be read any more, so that it does not block what
// comes after it.
func (s *Spool) damagedLocked(e *epoch, g *segment, f *fault) {
	n := e.damage(slices.Index(e.segs, g), f.place)
	s.dropped += n
	if g == s.active {
		s.activateLocked(nil)
	}
	s.opt.Logger.Error("spool segment is damaged, what follows in it is lost",
		"file", g.path, "seq", f.seq, "observations", n, "error", f.err)
	s.saveLocked(e)
	var err error
	if slices.Contains(e.segs, g) {
		err = os.Truncate(g.path, g.size)
	} else {
		err = g.remove()
	}
	if err != nil {
		s.opt.Logger.Warn("damaged bytes are left over", "file", g.path, "error", err)
	}
}

// Ack notes that everything of the epoch up to and including through is safe
// elsewhere, and removes what is not needed any more. Acknowledging twice, an
// epoch that has gone, or more than there is does no harm.
func (s *Spool) Ack(name string, through uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.findLocked(name)
	if s.closed {
		return ErrClosed
	} else if e == nil {
		return nil
	}
	changed, spent := e.ack(through), len(e.spent(s.active)) > 0
	over := e.empty() && e != s.currentLocked()
	switch {
	case over:
		// The mark first here too, in case that not all of it can be deleted.
		if err := e.save(spent && !s.opt.NoSync); err != nil {
			return err
		}
		if err := e.remove(); err != nil {
			return err
		}
		s.epochs = slices.DeleteFunc(s.epochs, func(x *epoch) bool { return x == e })
	case spent:
		return s.pruneLocked(e, s.active)
	case changed:
		return e.save(false) // a crash costs nothing but to hand out something again
	}
	return nil
}

func (s *Spool) currentLocked() *epoch { return s.epochs[len(s.epochs)-1] }

func (s *Spool) findLocked(name string) *epoch {
	i := slices.IndexFunc(s.epochs, func(e *epoch) bool { return e.name == name })
	if i < 0 {
		return nil
	}
	return s.epochs[i]
}
