package config

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/token"

	"varde/checks"
)

// MaxFile is the largest configuration that is read, in bytes; MaxSecret the
// largest password file and MaxCA the largest file of certificates.
const (
	MaxFile   = 1 << 20
	MaxSecret = 4 << 10
	MaxCA     = 1 << 20
)

// maxProblems is how many errors are printed: nobody mends more in one go.
const maxProblems = 100

// Problem is one fault in a configuration file.
type Problem struct {
	File         string
	Line, Column int
	// Key is the path of the key, "checks[0].every"; empty when the fault is
	// one of the file as a whole.
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

// Load reads the configuration at path and every file that it names. The error
// holds one *Problem for each fault, joined and in the order of the file.
func Load(path string) (Config, error) {
	data, err := readBounded(path, MaxFile)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration %s: %w", path, cause(err))
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	c, d, err := decode(path, data)
	if err != nil {
		return Config{}, err
	}
	c.resolve(dir)
	return finish(path, c, d, c.readFiles())
}

// DataFolder returns the data folder that the configuration at path names, or
// its default. Faults of other keys do not matter: a command must reach the
// running coordinator while its file is being edited.
func DataFolder(path string) (string, error) {
	data, err := readBounded(path, MaxFile)
	if err != nil {
		return "", fmt.Errorf("read configuration %s: %w", path, cause(err))
	}
	c, d, err := decode(path, data)
	if err != nil {
		return "", err
	}
	for _, f := range d.faults {
		if f.Field == "data" || f.Field == "" {
			return "", d.locate(path, []*checks.FieldError{f})
		}
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("read configuration %s: %w", path, err)
	}
	c.resolve(dir)
	return c.WithDefaults().Data, nil
}

// Parse reads a configuration from bytes and opens no file: secrets and
// certificates are not looked for and relative paths stay as they are. The
// name stands in its errors.
func Parse(name string, data []byte) (Config, error) {
	c, d, err := decode(name, data)
	if err != nil {
		return Config{}, err
	}
	return finish(name, c, d, nil)
}

func finish(file string, c Config, d *decoder, more []*checks.FieldError) (Config, error) {
	c = c.WithDefaults()
	found := append(c.faults(), more...)
	if err := d.locate(file, append(d.faults, d.notCaused(found)...)); err != nil {
		return Config{}, err
	}
	return c, nil
}

// decode reads the tree into a Config; faults of single keys stay in the decoder.
func decode(file string, data []byte) (Config, *decoder, error) {
	if len(data) > MaxFile {
		return Config{}, nil, fmt.Errorf("read configuration %s: more than %d bytes", file, MaxFile)
	}
	root, err := parse(file, data)
	if err != nil {
		return Config{}, nil, err
	}
	var c Config
	d := newDecoder()
	d.at[""] = &token.Position{Line: 1, Column: 1}
	if root != nil {
		d.value("", root, reflect.ValueOf(&c).Elem())
	}
	return c, d, nil
}

// notCaused leaves out what only follows from a value that could not be read:
// what stands at, above or below it, and what needed it (ids, consent).
func (d *decoder) notCaused(found []*checks.FieldError) []*checks.FieldError {
	bad, above := map[string]bool{}, map[string]bool{}
	lost := map[string]bool{} // last words of faults that would only follow
	for _, f := range d.faults {
		bad[f.Field] = true
		for p := range ancestors(f.Field) {
			above[p] = true
		}
		list, rest, _ := strings.Cut(f.Field, "[")
		_, key, _ := strings.Cut(rest, "].")
		switch {
		case list == "services" && key == "consent":
			lost["every"] = true
		case key == "" || key == "id":
			lost[list] = true
		}
	}
	return slices.DeleteFunc(found, func(f *checks.FieldError) bool {
		if bad[f.Field] || above[f.Field] {
			return true
		}
		for p := range ancestors(f.Field) {
			if bad[p] {
				return true
			}
		}
		switch last := f.Field[strings.LastIndexByte(f.Field, '.')+1:]; {
		case last == "service" || strings.HasPrefix(last, "services["):
			return lost["services"]
		case strings.HasPrefix(last, "regions["):
			return lost["regions"] && strings.HasPrefix(f.Field, "checks")
		case last == "every":
			return lost["every"]
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

// locate turns faults into problems in the order of the file; nil for none.
func (d *decoder) locate(file string, faults []*checks.FieldError) error {
	problems := make([]*Problem, len(faults))
	for i, f := range faults {
		at := d.position(f.Field)
		problems[i] = &Problem{File: file, Line: at.Line, Column: at.Column, Key: f.Field, Text: f.Problem}
	}
	slices.SortStableFunc(problems, func(a, b *Problem) int {
		return cmp.Or(a.Line-b.Line, a.Column-b.Column)
	})
	var errs []error
	for i, p := range problems {
		if i == maxProblems {
			errs = append(errs, fmt.Errorf("%s: %d more errors", file, len(problems)-i))
			break
		}
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

// position is where path stands, or the nearest key above it that is there.
func (d *decoder) position(path string) *token.Position {
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
