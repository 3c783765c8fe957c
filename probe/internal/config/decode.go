package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// decoder reads a document into strings and remembers where each stood. Unlike
// the library's own strict decoding it does not stop at the first fault.
type decoder struct {
	path   string
	at     map[string]*token.Position
	faults []fault
}

// fault is one line of what is wrong.
type fault struct {
	line, column int
	text         string
}

func newDecoder(path string) *decoder {
	return &decoder{path: path, at: map[string]*token.Position{}}
}

// fault adds an error at the place of a key, or at the file if it is not there.
func (d *decoder) fault(key, format string, args ...any) {
	d.add(d.at[key], key, fmt.Sprintf(format, args...))
}

func (d *decoder) add(at *token.Position, key, problem string) {
	f := fault{text: d.path}
	if at != nil {
		f.line, f.column = at.Line, at.Column
		f.text += fmt.Sprintf(":%d:%d", at.Line, at.Column)
	}
	if key != "" {
		f.text += ": " + key
	}
	f.text += ": " + strings.ReplaceAll(problem, "\n", " ")
	d.faults = append(d.faults, f)
}

// err joins the faults in the order in which they stand in the file; nil when
// there is none.
func (d *decoder) err() error {
	slices.SortStableFunc(d.faults, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	errs := make([]error, len(d.faults))
	for i, f := range d.faults {
		errs[i] = errors.New(f.text)
	}
	return errors.Join(errs...)
}

// decode reads one document. Keys are *string, or map[string]any for a mapping
// with such keys.
func (d *decoder) decode(b []byte, keys map[string]any) {
	f, err := parser.ParseBytes(b, 0, parser.AllowDuplicateMapKey())
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		d.add(syntax.GetToken().Position, "", syntax.GetMessage())
		return
	} else if err != nil {
		d.add(nil, "", err.Error())
		return
	}
	var bodies []ast.Node
	for _, doc := range f.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			bodies = append(bodies, doc.Body)
		}
	}
	if len(bodies) > 1 {
		d.add(bodies[1].GetToken().Position, "", "a second document, expected one")
	} else if len(bodies) == 1 {
		d.mapping("", bodies[0], keys)
	}
}

func (d *decoder) mapping(prefix string, n ast.Node, keys map[string]any) {
	m, ok := n.(ast.MapNode)
	if !ok {
		if n.Type() != ast.NullType {
			d.add(n.GetToken().Position, strings.TrimSuffix(prefix, "."), describe(n)+", expected keys: "+known(keys))
		}
		return
	}
	for it := m.MapRange(); it.Next(); {
		tk := it.Key().GetToken()
		name := tk.Value
		key := prefix + name
		switch to := keys[name].(type) {
		case nil:
			d.add(tk.Position, key, "is not known, expected one of "+known(keys))
			continue
		case map[string]any:
			if d.once(key, tk.Position) {
				d.mapping(key+".", it.Value(), to)
			}
		case *string:
			if d.once(key, it.Value().GetToken().Position) {
				d.scalar(key, it.Value(), to)
			}
		}
	}
}

// once notes where a key stands, and returns false when it stood before.
func (d *decoder) once(key string, at *token.Position) bool {
	if before := d.at[key]; before != nil {
		d.add(at, key, fmt.Sprintf("is there twice, first in line %d", before.Line))
		return false
	}
	d.at[key] = at
	return true
}

func (d *decoder) scalar(key string, n ast.Node, to *string) {
	switch n := n.(type) {
	case *ast.StringNode:
		*to = n.Value
	case *ast.LiteralNode:
		*to = n.Value.Value
	case *ast.NullNode:
		// As if it were not there.
	default:
		d.add(n.GetToken().Position, key, describe(n)+", expected a text")
	}
}

// describe says what a node is, in the words of somebody who writes YAML.
func describe(n ast.Node) string {
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "got keys"
	case ast.SequenceType:
		return "got a list"
	case ast.AnchorType:
		return "got an anchor"
	case ast.AliasType:
		return "got an alias"
	}
	return "got " + n.GetToken().Value
}

func known(keys map[string]any) string {
	return strings.Join(slices.Sorted(maps.Keys(keys)), ", ")
}
