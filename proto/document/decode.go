package document

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"varde/checks"
)

// maxEntries is longer than any list of ours.
const maxEntries = 2000

// The library's own decoder stops at the first fault; this one goes on, and
// remembers where every value stood so that what is found wrong with it later
// can be located too.

func (d *Document) fault(path, format string, args ...any) {
	d.faults = append(d.faults, &checks.FieldError{Field: path, Problem: fmt.Sprintf(format, args...)})
}

// value decodes node, which stands at path, into v.
func (d *Document) value(path string, node ast.Node, v reflect.Value) {
	d.at[path] = position(node)
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Struct && !isWord(node, v):
		d.mapping(path, node, v)
	case isList(node, v):
		d.sequence(path, node, v)
	case v.Kind() == reflect.Map:
		d.words(path, node, v)
	default:
		d.scalar(path, node, v)
	}
}

// isList says whether v takes node as a list: what can also be read from one word
// is a list only where there is one.
func isList(node ast.Node, v reflect.Value) bool {
	_, list := node.(ast.ArrayNode)
	return v.Kind() == reflect.Slice && (list || !isOwn(v))
}

// isWord says whether v takes node as one word: what can also be read from keys is
// a word only where there is one.
func isWord(node ast.Node, v reflect.Value) bool {
	_, word := node.(ast.ScalarNode)
	_, none := node.(*ast.NullNode)
	return word && !none && isOwn(v)
}

func (d *Document) mapping(path string, node ast.Node, v reflect.Value) {
	m, ok := node.(ast.MapNode)
	if !ok {
		// A word is not repeated here: it may be a password in the wrong place.
		what := "one value"
		switch node.(type) {
		case *ast.NullNode, ast.ArrayNode:
			what = describe(node)
		}
		d.fault(path, "got %s, expected keys (%s)", what, strings.Join(keys(v.Type()), ", "))
		return
	}
	seen := map[string]bool{}
	for it := m.MapRange(); it.Next(); {
		key := it.Key().GetToken().Value
		sub := join(path, key)
		if v.Type() == reflect.TypeFor[checks.Secret]() && key != "file" {
			sub = join(path, "?")
		}
		field, known := fieldOf(v, key)
		switch {
		case !known:
			d.at[sub] = it.Key().GetToken().Position
			d.fault(sub, "got an unknown key, expected one of %s", strings.Join(keys(v.Type()), ", "))
		case seen[key]:
			d.faults = append(d.faults, &checks.FieldError{
				Field:   sub,
				Problem: fmt.Sprintf("got the key again at line %d, expected it once", it.Key().GetToken().Position.Line),
			})
		default:
			d.value(sub, it.Value(), field)
		}
		seen[key] = true
	}
}

func (d *Document) sequence(path string, node ast.Node, v reflect.Value) {
	seq, ok := node.(ast.ArrayNode)
	if !ok {
		d.fault(path, "got %s, expected a list", describe(node))
		return
	}
	it := seq.ArrayRange()
	if it.Len() > maxEntries {
		d.fault(path, "got %d entries, expected at most %d", it.Len(), maxEntries)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), it.Len(), it.Len()))
	for i := 0; it.Next(); i++ {
		d.value(fmt.Sprintf("%s[%d]", path, i), it.Value(), v.Index(i))
	}
}

// words decodes keys of the writer's own choice, each with a text.
func (d *Document) words(path string, node ast.Node, v reflect.Value) {
	m, ok := node.(ast.MapNode)
	if !ok {
		d.fault(path, "got %s, expected keys, each with a text", describe(node))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for it := m.MapRange(); it.Next(); {
		key := reflect.ValueOf(it.Key().GetToken().Value)
		sub := join(path, key.String())
		switch {
		case v.MapIndex(key).IsValid():
			d.fault(sub, "got the key again, expected it once")
		case v.Len() == maxEntries:
			d.fault(path, "got more than %d keys, expected fewer", maxEntries)
			return
		default:
			entry := reflect.New(v.Type().Elem()).Elem()
			d.value(sub, it.Value(), entry)
			v.SetMapIndex(key, entry)
		}
	}
}

// scalar decodes one word. What it takes follows from the Go type alone:
// time.Duration is "30s", int64 a size in bytes, a type with an UnmarshalText what
// that takes, every other number is above zero.
func (d *Document) scalar(path string, node ast.Node, v reflect.Value) {
	var err error
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		var x time.Duration
		if x, err = ParseDuration(text(node)); err == nil {
			v.SetInt(int64(x))
		}
	case v.Type() == reflect.TypeFor[checks.Family]():
		if v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text(node))) != nil {
			err = expected(node, "ipv4 or ipv6")
		}
	case v.Type() == reflect.TypeFor[checks.Statuses]():
		err = setStatuses(node, v)
	case isOwn(v):
		err = setOwn(node, v)
	case v.Kind() == reflect.String:
		err = setString(node, v)
	case v.Kind() == reflect.Bool:
		b, ok := node.(*ast.BoolNode)
		if !ok {
			err = expected(node, "true or false")
			break
		}
		v.SetBool(b.Value)
	case v.Kind() == reflect.Int64:
		var n int64
		if n, err = ParseSize(text(node)); err == nil {
			v.SetInt(n)
		}
	case v.Kind() == reflect.Int:
		err = setInt(node, v)
	case v.Kind() == reflect.Float64:
		err = setFloat(node, v)
	default:
		panic(fmt.Sprintf("document: no rule for type %s at %s", v.Type(), path))
	}
	if err != nil {
		d.fault(path, "%s", err)
	}
}

// isOwn says whether the type of v knows itself how it is written.
func isOwn(v reflect.Value) bool {
	_, own := v.Addr().Interface().(encoding.TextUnmarshaler)
	return own
}

// setOwn has the type read the word. Its error says what is expected.
func setOwn(node ast.Node, v reflect.Value) error {
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text(node))); err != nil {
		return expected(node, err.Error())
	}
	return nil
}

func setString(node ast.Node, v reflect.Value) error {
	switch n := node.(type) {
	case *ast.StringNode:
		v.SetString(n.Value)
	case *ast.LiteralNode:
		v.SetString(n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return expected(node, fmt.Sprintf("text, in quotes: %q", text(node)))
	default:
		return expected(node, "text")
	}
	return nil
}

// setStatuses takes one status or range, or a list of them.
func setStatuses(node ast.Node, v reflect.Value) error {
	parts := []string{text(node)}
	if seq, ok := node.(ast.ArrayNode); ok {
		parts = nil
		for it := seq.ArrayRange(); it.Next() && len(parts) < maxEntries; {
			parts = append(parts, text(it.Value()))
		}
	}
	set := checks.Statuses(strings.Join(parts, ", "))
	if err := set.Validate(); err != nil || set == "" {
		return expected(node, "HTTP statuses such as 200, 2xx or [200, 301-308]")
	}
	v.SetString(string(set))
	return nil
}

func setInt(node ast.Node, v reflect.Value) error {
	n, err := strconv.Atoi(text(node))
	if _, ok := node.(*ast.IntegerNode); !ok || err != nil || n <= 0 || n > math.MaxInt32 {
		return expected(node, "a whole number above zero")
	}
	v.SetInt(int64(n))
	return nil
}

func setFloat(node ast.Node, v reflect.Value) error {
	switch node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		f, err := strconv.ParseFloat(text(node), 64)
		if err == nil && f > 0 && f <= math.MaxInt32 {
			v.SetFloat(f)
			return nil
		}
	}
	return expected(node, "a number above zero")
}

// text is a scalar as it stands in the file, and "" for anything else.
func text(node ast.Node) string {
	if s, ok := node.(ast.ScalarNode); ok {
		return s.GetToken().Value
	}
	return ""
}

func expected(node ast.Node, what string) error {
	return fmt.Errorf("got %s, expected %s", describe(node), what)
}

// describe says in a few words what stands in the file.
func describe(node ast.Node) string {
	switch n := node.(type) {
	case *ast.NullNode:
		return "nothing"
	case ast.MapNode:
		return "keys"
	case ast.ArrayNode:
		return "a list"
	case *ast.LiteralNode:
		return "a block of text"
	case *ast.StringNode:
		return Quote(n.Value)
	}
	return clip(node.GetToken().Value)
}

// position is where node begins. The library's token of a block of keys is its
// first colon.
func position(node ast.Node) *token.Position {
	switch n := node.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return n.Values[0].Key.GetToken().Position
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken().Position
	}
	return node.GetToken().Position
}

func join(path, key string) string {
	if path == "" {
		return clip(key)
	}
	return path + "." + clip(key)
}

// fieldOf returns the field of the struct v whose yaml tag names key.
func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			if inner, ok := fieldOf(v.Field(i), key); ok {
				return inner, true
			}
		}
		if name := keyOf(f); name != "" && name == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// keys lists the keys of a struct in their order.
func keys(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			names = append(names, keys(f.Type)...)
		}
		if name := keyOf(f); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func keyOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "-" {
		return ""
	}
	return name
}
