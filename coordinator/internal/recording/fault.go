package recording

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Fault is what is wrong with one line of a recording.
type Fault struct {
	File string
	// Line counts from 1.
	Line int
	// Problem says which key it is, what was got and what is expected.
	Problem string
}

// Error begins with the place, so that an editor can jump to it.
func (f *Fault) Error() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Problem) }

// Place is where the fault is; the column is not told.
func (f *Fault) Place() (file string, line, column int) { return f.File, f.Line, 0 }

// reworded says in the words of this house what a JSON decoder found.
func reworded(err error) error {
	if s, ok := errors.AsType[*json.SemanticError](err); ok {
		key := keyOf(s.JSONPointer)
		switch {
		case errors.Is(s.Err, json.ErrUnknownName):
			return fmt.Errorf("%s: not a key of an observation", key)
		case s.Err != nil && strings.HasPrefix(s.Err.Error(), key+" "): // one of our own words
			return s.Err
		case s.Err != nil && !isNumber(s.GoType):
			return fmt.Errorf("%s: %w", key, s.Err)
		case s.GoType != nil:
			return fmt.Errorf("%s: got %s, expected %s", key, what(s), kinds(s.GoType))
		}
	}
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(s.Err, jsontext.ErrDuplicateName) {
			return fmt.Errorf("%s: stands there twice", keyOf(s.JSONPointer))
		}
		return fmt.Errorf("not one JSON object, at byte %d: %w", s.ByteOffset+1, s.Err)
	}
	return err
}

// isNumber says whether values of a type are numbers; what their decoder has to say of
// others is of no use to people.
func isNumber(t reflect.Type) bool {
	return t != nil && (t.Kind() == reflect.Uint64 || t.Kind() == reflect.Float64)
}

// keyOf is the key that a pointer (RFC 6901) names, as people write it. What a
// stranger named his key is quoted and cut.
func keyOf(p jsontext.Pointer) string {
	key := strings.ReplaceAll(strings.TrimPrefix(string(p), "/"), "/", ".")
	if key == "" {
		return "observation"
	}
	if quoted := fmt.Sprintf("%.64q", key); len(quoted) != len(key)+2 {
		return quoted
	}
	return key
}

// what is the value that was found.
func what(s *json.SemanticError) string {
	if len(s.JSONValue) > 0 && len(s.JSONValue) <= 64 {
		return string(s.JSONValue)
	}
	switch s.JSONKind {
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "a list"
	}
	return "null, true or false"
}

// kinds is what a Go type is written as.
func kinds(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Uint64:
		return "a whole number of 0 or more"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}
