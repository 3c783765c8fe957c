package recording

import (
	"context"
	"fmt"
	"os"

	"varde/checks"
)

// Source is a recording.
type Source interface {
	// Read calls fn with the observations in order of arrival, one at a time, until fn
	// returns an error. What fn got is its own until it returns; texts may be kept. Every
	// call gives the same. The observation's Every is checks.MaxEvery where the recording
	// does not say how often the check looked.
	Read(ctx context.Context, fn func(*checks.Observation) error) error
}

var (
	_ Source = Lines{}
	_ Source = Journal{}
)

// Options say what is read, and who wants to know.
type Options struct {
	// Path is a file of JSON lines, or the data folder of a coordinator that does not
	// run. Required.
	Path string
	// Names are what observations may name, by each of some configurations.
	Names []Names
	// Progress is told how much of it was read, in units of its own, from one goroutine.
	// It may be nil.
	Progress func(done, all int64)
	// Ignored is told what of a journal was passed over. It may be nil.
	Ignored func(Ignored)
}

// At returns the recording that is at a path.
func At(o Options) (Source, error) {
	info, err := os.Stat(o.Path)
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	tell := o.Progress
	if tell == nil {
		tell = func(int64, int64) {}
	}
	if info.IsDir() {
		return Journal{
			Dir: o.Path, Names: o.Names, Ignored: o.Ignored,
			Progress: func(read, all uint64) { tell(int64(read), int64(all)) },
		}, nil
	}
	return Lines{Path: o.Path, Names: o.Names, Progress: func(read int64) { tell(read, info.Size()) }}, nil
}
