// Package document reads one YAML document strictly and tells every fault at
// once, with line and column.
//
//   - What is read goes into a struct by its yaml tags. An unknown key, a
//     doubled key, a wrong type and a value that is missing are faults.
//   - Every fault of a document is told in one go, one line each, as
//     "FILE:LINE:COLUMN: key: got …, expected …". Only a fault of the YAML
//     itself hides what follows it.
//   - Arbitrary bytes never panic and cost bounded time and memory. YAML's
//     anchors, aliases, tags, merge keys and directives are refused: no key needs
//     them, and they are what makes small files expand.
//
// The package is the only one that knows the YAML library.
package document

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/token"

	"varde/checks"
)

// MaxBytes is the largest document that is read.
const MaxBytes = 1 << 20

// maxProblems is how many faults are told: nobody mends more in one go.
const maxProblems = 100

// Problem is one fault of a document.
type Problem struct {
	File         string
	Line, Column int
	// Key is the path of the key, "checks[0].every"; empty when the fault is
	// one of the document as a whole.
	Key string
	// Text says what was got and what is expected.
	Text string
}

// Error returns the problem on one line.
func (p *Problem) Error() string {
	where := fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Key == "" {
		return where + p.Text
	}
	return where + p.Key + ": " + p.Text
}

// Place returns where the problem is; its Error begins with that.
func (p *Problem) Place() (file string, line, column int) { return p.File, p.Line, p.Column }

// Document remembers where everything stood in a document that was read, and
// what could not be read of it.
type Document struct {
	file   string
	at     map[string]*token.Position
	faults []*checks.FieldError
}

// Load reads the document in the file at path; see Read.
func Load(path string, into any) (*Document, error) {
	data, err := ReadFile(path, MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", path, Cause(err))
	}
	return Read(path, data, into)
}

// Read reads the document in data into the struct that into points to. What
// the document does not say stays as it is there. File stands in the faults.
// The error is of something that hides the rest; what is wrong with single keys
// is told by Err.
func Read(file string, data []byte, into any) (*Document, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("read configuration %s: more than %d bytes", file, MaxBytes)
	}
	root, err := parse(file, data)
	if err != nil {
		return nil, err
	}
	d := &Document{file: file, at: map[string]*token.Position{"": {Line: 1, Column: 1}}}
	if root != nil {
		d.value("", root, reflect.ValueOf(into).Elem())
	}
	return d, nil
}

// Scalar returns a text as it can stand for a value in a document.
func Scalar(text string) (string, error) {
	b, err := yaml.Marshal(text)
	if err != nil {
		return "", fmt.Errorf("write %q: %w", text, err)
	}
	if strings.HasPrefix(string(b), "? ") { // the library takes it for text and reads a complex key
		return "'" + strings.ReplaceAll(text, "'", "''") + "'", nil
	}
	return strings.TrimSuffix(string(b), "\n"), nil
}

// Unread returns the paths of the keys that could not be read, in the order of
// the document; "" is the document as a whole.
func (d *Document) Unread() []string {
	paths := make([]string, len(d.faults))
	for i, f := range d.faults {
		paths[i] = f.Field
	}
	return paths
}

// Err joins what could not be read and what else was found wrong with what
// could, one *Problem each, in the order of the document; nil for nothing. What
// was found at, above or below a key that could not be read only follows from
// that and is left out.
func (d *Document) Err(found ...*checks.FieldError) error {
	return d.locate(append(slices.Clone(d.faults), d.notCaused(found)...))
}

// ErrAt is Err for what could not be read at one path, or of the document as a
// whole.
func (d *Document) ErrAt(path string) error {
	return d.locate(slices.DeleteFunc(slices.Clone(d.faults), func(f *checks.FieldError) bool {
		return f.Field != path && f.Field != ""
	}))
}

func (d *Document) notCaused(found []*checks.FieldError) []*checks.FieldError {
	bad, above := map[string]bool{}, map[string]bool{}
	for _, f := range d.faults {
		bad[f.Field] = true
		for p := range ancestors(f.Field) {
			above[p] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(found), func(f *checks.FieldError) bool {
		if bad[f.Field] || above[f.Field] {
			return true
		}
		for p := range ancestors(f.Field) {
			if bad[p] {
				return true
			}
		}
		return false
	})
}

// ancestors gives the paths above path, the nearest first and the root, "", last.
func ancestors(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for path != "" {
			path = path[:max(0, strings.LastIndexAny(path, ".["))]
			if !yield(path) {
				return
			}
		}
	}
}

// locate turns faults into problems in the order of the document; nil for none.
func (d *Document) locate(faults []*checks.FieldError) error {
	problems := make([]*Problem, len(faults))
	for i, f := range faults {
		at := d.position(f.Field)
		problems[i] = &Problem{File: d.file, Line: at.Line, Column: at.Column, Key: f.Field, Text: f.Problem}
	}
	slices.SortStableFunc(problems, func(a, b *Problem) int {
		return cmp.Or(a.Line-b.Line, a.Column-b.Column)
	})
	var errs []error
	for i, p := range problems {
		if i == maxProblems {
			errs = append(errs, fmt.Errorf("%s: %d more errors", d.file, len(problems)-i))
			break
		}
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

// position is where path stands, or the nearest key above it that is there.
func (d *Document) position(path string) *token.Position {
	if at, ok := d.at[path]; ok {
		return at
	}
	for p := range ancestors(path) {
		if at, ok := d.at[p]; ok {
			return at
		}
	}
	return d.at[""]
}
