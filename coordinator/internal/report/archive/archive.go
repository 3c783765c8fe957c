// Package archive keeps reports that were written, one folder of files, and writes the
// one of a month as soon as the month is over and judged for good.
//
// What it promises:
//
//   - a report is there in all its forms or not at all: the page is put in place last,
//     and a report is there when its page is;
//   - what is there is never written over: who wants it anew takes the page away;
//   - nothing but reports is read from the folder, whatever is asked for.
package archive

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"varde/coordinator/internal/report"
	"varde/proto/durable"
)

// Name names a report.
type Name struct {
	Month report.Month
	// Provider is the id of the one whose services it is about; empty for all.
	Provider string
}

// monthLength is that of a month as it is written.
const monthLength = len("2026-10")

// ParseName reads the name of a report: "2026-10", or "2026-10-fjord" for that of a
// provider.
func ParseName(text string) (Name, error) {
	head, rest := text[:min(len(text), monthLength)], text[min(len(text), monthLength):]
	m, err := report.ParseMonth(head)
	if err != nil {
		return Name{}, err
	}
	n := Name{Month: m}
	if rest != "" {
		provider, ok := strings.CutPrefix(rest, "-")
		if !ok || !isID(provider) {
			return Name{}, fmt.Errorf("got report %.80q, expected a month, or a month, a hyphen and the id of a provider", text)
		}
		n.Provider = provider
	}
	return n, nil
}

// maxID is how long an id of a configuration can be.
const maxID = 63

// isID says whether text can be an id of a configuration; all of those are safe in the
// name of a file.
func isID(text string) bool {
	odd := func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' }
	return text != "" && len(text) <= maxID && !strings.ContainsFunc(text, odd)
}

// String writes the name as [ParseName] reads it.
func (n Name) String() string {
	if n.Provider == "" {
		return n.Month.String()
	}
	return n.Month.String() + "-" + n.Provider
}

// Archive is a folder of reports. It may be used from many goroutines, as long as one
// alone keeps reports in it.
type Archive struct{ dir string }

// ErrNone says that there is no such report.
var ErrNone = errors.New("there is no such report")

// Open opens the folder and makes it if it is missing; others may not read it.
func Open(dir string) (*Archive, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open reports: %w", err)
	}
	return &Archive{dir}, nil
}

func (a *Archive) path(n Name, f report.Format) string {
	return filepath.Join(a.dir, n.String()+"."+string(f))
}

// Has says whether a report is there.
func (a *Archive) Has(n Name) (bool, error) {
	_, err := os.Stat(a.path(n, report.HTML))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for report %s: %w", n, err)
	}
	return true, nil
}

// Keep puts a report in place in all its forms. One that is there is an error.
func (a *Archive) Keep(n Name, r report.Report) error {
	there, err := a.Has(n)
	if err != nil {
		return err
	}
	if there {
		return fmt.Errorf("report %s is there already", n)
	}
	forms := report.Formats()
	// The page is the last: it says that all are there.
	slices.SortStableFunc(forms, func(x, y report.Format) int {
		return cmp.Compare(last(x), last(y))
	})
	for _, f := range forms {
		b, err := r.Write(f)
		if err != nil {
			return err
		}
		if err := durable.Replace(a.path(n, f), b); err != nil {
			return err
		}
	}
	return nil
}

func last(f report.Format) int {
	if f == report.HTML {
		return 1
	}
	return 0
}

// Read is a report in one form; ErrNone if it is not there.
func (a *Archive) Read(n Name, f report.Format) ([]byte, error) {
	there, err := a.Has(n)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, ErrNone
	}
	b, err := os.ReadFile(a.path(n, f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("read report %s: %w", n, err)
	}
	return b, nil
}

// List names all reports that are there, the newest month first, and of one month that
// of all providers before those of single ones.
func (a *Archive) List() ([]Name, error) {
	files, err := os.ReadDir(a.dir)
	if err != nil {
		return nil, fmt.Errorf("list reports: %w", err)
	}
	var out []Name
	for _, f := range files {
		text, ok := strings.CutSuffix(f.Name(), "."+string(report.HTML))
		if n, err := ParseName(text); ok && err == nil && n.String() == text {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(x, y Name) int {
		return cmp.Or(y.Month.From().Compare(x.Month.From()), cmp.Compare(x.Provider, y.Provider))
	})
	return out, nil
}
