package backup

import (
	"archive/zip"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"varde/coordinator/internal/history"
	"varde/coordinator/internal/journal"
	"varde/coordinator/internal/plan"
	"varde/proto/durable"
)

// Options of a restoration.
type Options struct {
	// File is the backup, of so many bytes.
	File io.ReaderAt
	Size int64
	// Data is the data folder that is filled, that of the backup if empty.
	Data string
	// Config is where the configuration is put if nothing is there, the place that it
	// had if empty.
	Config string
	// Replace moves what lies in the data folder aside.
	Replace bool
	// Now is the time.
	Now time.Time
	// Progress is told how many bytes of all are done, from one goroutine.
	Progress func(done, all int64)
	Logger   *slog.Logger
}

// Report says what a restoration did.
type Report struct {
	Manifest Manifest
	// Data is the folder that was filled, Aside where that is which lay there before.
	Data, Aside string
	// Config is the configuration. Written are the files of it that were put in place,
	// Kept those that were there with other content and were left alone.
	Config        string
	Written, Kept []string
}

// Verify reads all of a backup and compares it with its manifest.
func Verify(ctx context.Context, o Options) (Manifest, error) {
	r, err := open(ctx, o, 1)
	if err != nil {
		return Manifest{}, err
	}
	return r.report.Manifest, r.verify()
}

// open opens a backup that is to be read so many times.
func open(ctx context.Context, o Options, times int64) (*restorer, error) {
	m, z, err := Open(o.File, o.Size)
	if err != nil {
		return nil, err
	}
	return &restorer{Options: o, ctx: ctx, zip: z, all: times * m.Bytes(), report: Report{Manifest: m}}, nil
}

func (r *restorer) verify() error {
	for _, f := range r.report.Manifest.Files {
		if err := r.read(f, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }); err != nil {
			return err
		}
	}
	return nil
}

// Restore makes a coordinator of a backup. After an error everything is as it was, but
// files of the configuration may have been put in place that were not there.
func Restore(ctx context.Context, o Options) (report Report, err error) {
	r, err := open(ctx, o, 2)
	if err != nil {
		return Report{}, err
	}
	if err := r.verify(); err != nil { // before anything is changed
		return Report{}, err
	}
	if r.report.Data, err = filepath.Abs(cmp.Or(o.Data, r.report.Manifest.Data)); err != nil {
		return Report{}, err
	}
	release, err := r.claim()
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := r.build(); err != nil {
		return Report{}, errors.Join(err, os.RemoveAll(r.building()), r.leave())
	}
	if err := r.place(); err != nil {
		return Report{}, errors.Join(err, os.RemoveAll(r.building()), r.leave())
	}
	return r.report, nil
}

// restorer is one restoration under way.
type restorer struct {
	Options
	ctx       context.Context
	zip       *zip.Reader
	done, all int64
	report    Report
	// claimed says that the folder of the journal was made only to be locked.
	claimed bool
}

// building is the folder, inside the data folder, which can be a mount point, in which
// everything is made before it is put in place.
func (r *restorer) building() string { return filepath.Join(r.report.Data, restoring) }

// claim makes sure that the data folder may be replaced, makes it if there is none, and
// keeps coordinators and other restorations out of it until release is called.
func (r *restorer) claim() (release func() error, err error) {
	if err := os.MkdirAll(r.report.Data, 0o700); err != nil {
		return nil, err
	}
	there, err := r.there()
	if err != nil {
		return nil, err
	}
	if len(there) > 0 && !r.Replace {
		return nil, fmt.Errorf("data folder %s is not empty, expected an empty one, or --replace, which moves what is there aside: nothing was changed", r.report.Data)
	}
	r.claimed = !slices.Contains(there, journalFolder)
	if release, err = journal.Lock(filepath.Join(r.report.Data, journalFolder)); err != nil {
		return nil, fmt.Errorf("%w: stop the coordinator that runs with it", err)
	}
	if err := os.RemoveAll(r.building()); err != nil { // that of a process that was killed
		return nil, errors.Join(err, r.leave(), release())
	}
	return release, nil
}

// leave takes away the folder that was made only to be locked.
func (r *restorer) leave() error {
	if !r.claimed {
		return nil
	}
	r.claimed = false
	return os.RemoveAll(filepath.Join(r.report.Data, journalFolder))
}

// there is what lies in the data folder, but for what restorations left there.
func (r *restorer) there() (names []string, err error) {
	list, err := os.ReadDir(r.report.Data)
	for _, e := range list {
		if e.Name() != restoring && !strings.HasPrefix(e.Name(), before) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// build makes the folder of what is in the backup.
func (r *restorer) build() error {
	dir := r.building()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	var parts, configs []File
	for _, f := range r.report.Manifest.Files {
		folder, rest := f.folder()
		var err error
		switch folder {
		case dataFolder:
			err = r.write(f, filepath.Join(dir, filepath.FromSlash(rest)))
		case historyFolder:
			err = r.write(f, filepath.Join(dir, historyFolder, rest))
		case journalFolder:
			parts = append(parts, f)
		case configFolder:
			configs = append(configs, f)
		}
		if err != nil {
			return err
		}
	}
	if err := r.rebuild(parts); err != nil {
		return err
	}
	if err := history.Verify(r.ctx, filepath.Join(dir, historyFolder)); err != nil {
		return err
	}
	if err := plan.Supersede(dir, r.Now); err != nil {
		return err
	}
	if err := r.own(dir); err != nil {
		return err
	}
	if err := syncFolders(dir); err != nil {
		return err
	}
	return r.configure(configs)
}

func (r *restorer) rebuild(parts []File) error {
	o := journal.Options{Dir: filepath.Join(r.building(), journalFolder), Logger: r.Logger}
	return journal.Rebuild(r.ctx, o, func(put func(journal.Part, io.Reader) error) error {
		for _, f := range parts {
			if err := r.read(f, func(in io.Reader) error { return put(*f.Part, in) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// read hands one file to fn, which must read all of it, and compares its sum.
func (r *restorer) read(f File, fn func(io.Reader) error) (err error) {
	in, err := r.zip.Open(f.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	sum := sha256.New()
	if err := fn(io.TeeReader(&counted{r: in, restorer: r}, sum)); err != nil {
		return fmt.Errorf("read %s: %w", f.Name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return fmt.Errorf("read %s: SHA-256 is %s, expected %s: the backup is damaged", f.Name, got, f.SHA256)
	}
	return nil
}

// counted tells how far the restoration is, and ends with its context.
type counted struct {
	r        io.Reader
	restorer *restorer
}

// Read reads on.
func (c *counted) Read(b []byte) (int, error) {
	if c.restorer.ctx.Err() != nil {
		return 0, context.Cause(c.restorer.ctx)
	}
	n, err := c.r.Read(b)
	c.restorer.done += int64(n)
	if c.restorer.Progress != nil {
		c.restorer.Progress(c.restorer.done, c.restorer.all)
	}
	return n, err
}

// write makes one file, on disk when it returns.
func (r *restorer) write(f File, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return r.read(f, func(in io.Reader) error {
		out, err := durable.Begin(to)
		if err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return errors.Join(err, out.Discard())
		}
		return out.Finish()
	})
}

// place moves what is there aside and puts what was made in its place.
func (r *restorer) place() error {
	if err := r.leave(); err != nil {
		return err
	}
	old, err := r.there()
	if err != nil {
		return err
	}
	if len(old) > 0 {
		aside := filepath.Join(r.report.Data, before+r.Now.UTC().Format("20060102T150405Z"))
		if err := os.Mkdir(aside, 0o700); err != nil {
			return err
		}
		r.report.Aside = aside
		if err := move(old, r.report.Data, aside); err != nil {
			return errors.Join(err, os.Remove(aside)) // which is empty again
		}
	}
	list, err := os.ReadDir(r.building())
	if err != nil {
		return err
	}
	var made []string
	for _, e := range list {
		made = append(made, e.Name())
	}
	if err := move(made, r.building(), r.report.Data); err != nil {
		if r.report.Aside != "" {
			err = errors.Join(err, move(old, r.report.Aside, r.report.Data), os.Remove(r.report.Aside))
		}
		return err
	}
	return errors.Join(os.Remove(r.building()), durable.SyncFolder(r.report.Data))
}

// syncFolders makes the names in a folder and in all below durable.
func syncFolders(dir string) error {
	return filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return durable.SyncFolder(at)
	})
}

// move moves files and folders from one folder to another; if one cannot be moved, all
// are where they were.
func move(names []string, from, to string) error {
	for i, name := range names {
		err := os.Rename(filepath.Join(from, name), filepath.Join(to, name))
		if err == nil {
			continue
		}
		for _, done := range names[:i] {
			err = errors.Join(err, os.Rename(filepath.Join(to, done), filepath.Join(from, done)))
		}
		return err
	}
	return nil
}
