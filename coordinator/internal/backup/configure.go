package backup

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// configure puts the files of the configuration in place where nothing is there; the
// first is the configuration itself.
func (r *restorer) configure(files []File) error {
	if len(files) == 0 {
		return nil
	}
	places, err := r.places(files)
	if err != nil {
		return err
	}
	r.report.Config = places[0]
	for i, f := range files {
		there, err := os.ReadFile(places[i])
		switch {
		case errors.Is(err, fs.ErrNotExist):
			r.report.Written = append(r.report.Written, places[i])
			err = r.install(f, places[i])
		case err == nil && !same(there, f):
			r.report.Kept = append(r.report.Kept, places[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// places are where the files of the configuration belong: each where it was, unless the
// configuration goes into another folder. Then those go with it that it names by paths
// from its own folder, which are those that it does not hold as a whole.
func (r *restorer) places(files []File) ([]string, error) {
	config, err := filepath.Abs(cmp.Or(r.Config, files[0].Path))
	if err != nil {
		return nil, err
	}
	var text []byte
	if err := r.read(files[0], func(in io.Reader) (err error) { text, err = io.ReadAll(in); return err }); err != nil {
		return nil, err
	}
	r.done -= files[0].Bytes // it is read once more, and counted then
	out := []string{config}
	for _, f := range files[1:] {
		to := f.Path
		if !bytes.Contains(text, []byte(f.Path)) {
			beside, err := filepath.Rel(filepath.Dir(files[0].Path), f.Path)
			if err != nil {
				return nil, err
			}
			to = filepath.Join(filepath.Dir(config), beside)
		}
		out = append(out, to)
	}
	return out, nil
}

// same says whether a file has this content.
func same(content []byte, f File) bool {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]) == f.SHA256
}

// install makes a file of the configuration as it was, for the owner of the data folder,
// and the folders in which it stands.
func (r *restorer) install(f File, to string) error {
	top, err := missing(to)
	if err != nil {
		return err
	}
	if err := r.write(f, to); err != nil {
		return err
	}
	if f.Mode != 0 {
		if err := os.Chmod(to, f.Mode); err != nil {
			return err
		}
	}
	return r.own(top)
}

// missing is the uppermost of a path and the folders above it that is not there.
func missing(path string) (string, error) {
	for {
		above := filepath.Dir(path)
		_, err := os.Lstat(above)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		path = above
	}
}

// own gives what was made to the owner of the data folder: whoever restores need not be
// who runs the coordinator.
func (r *restorer) own(dir string) error {
	var owner syscall.Stat_t
	if err := syscall.Stat(r.report.Data, &owner); err != nil {
		return &fs.PathError{Op: "stat", Path: r.report.Data, Err: err}
	}
	if os.Geteuid() != 0 {
		return nil
	}
	return filepath.WalkDir(dir, func(at string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(at, int(owner.Uid), int(owner.Gid))
	})
}
