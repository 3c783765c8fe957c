package document

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// parse returns the root of the one document in data, nil for an empty file.
func parse(file string, data []byte) (root ast.Node, err error) {
	// The parser is young; a crash of it is a fault of the file for whoever
	// wrote the file, and must not end a coordinator that reloads.
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, &Problem{File: file, Line: 1, Column: 1, Text: "got something that is not YAML, expected keys"}
		}
	}()
	if !bytes.Equal(bytes.ToValidUTF8(data, nil), data) {
		return nil, &Problem{File: file, Line: 1, Column: 1, Text: "got bytes that are not UTF-8, expected text"}
	}
	tokens := lexer.Tokenize(string(data))
	if p := refuse(tokens); p != nil {
		p.File = file
		return nil, p
	}
	tree, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntax(file, err)
	}
	var docs []ast.Node
	for _, doc := range tree.Docs {
		if doc.Body != nil {
			docs = append(docs, doc.Body)
		}
	}
	if len(docs) > 1 {
		at := position(docs[1])
		return nil, &Problem{File: file, Line: at.Line, Column: at.Column, Text: "got a second document, expected one"}
	}
	if len(docs) == 0 || docs[0].Type() == ast.CommentType {
		return nil, nil
	}
	return docs[0], nil
}

// maxDepth is more than any key of ours needs. The parser takes quadratic time
// in the depth of nesting: 20,000 brackets cost 8 s.
// It also recurses for each key of a block, and moves all that follows at each
// empty value: 80,000 of them cost 30 s.
const (
	maxDepth = 32
	maxItems = 50_000
	maxEmpty = 10_000
)

// refuse finds the tokens that no configuration needs, before the parser sees them.
func refuse(tokens token.Tokens) *Problem {
	names := map[token.Type]string{
		token.AnchorType: "an anchor (&)", token.AliasType: "an alias (*)", token.TagType: "a tag (!)",
		token.MergeKeyType: "a merge key (<<)", token.DirectiveType: "a directive (%)", token.MappingKeyType: "a complex key (?)",
	}
	depth, dashes, line, items, empty := 0, 0, 0, 0, 0
	for _, t := range tokens {
		at := &Problem{Line: t.Position.Line, Column: t.Position.Column}
		if name, bad := names[t.Type]; bad {
			at.Text = "got " + name + ", expected the value written out"
			return at
		}
		if t.Position.Line != line {
			line, dashes = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType:
			dashes++
			items++
		case token.MappingValueType, token.CollectEntryType:
			items++
		}
		if isEmpty(t) {
			empty++
		}
		switch {
		case depth+dashes+t.Position.IndentLevel > maxDepth:
			at.Text = fmt.Sprintf("got more than %d levels, expected fewer", maxDepth)
			return at
		case items > maxItems || empty > maxEmpty:
			at.Text = fmt.Sprintf("got more than %d keys and entries, or %d empty ones, expected fewer", maxItems, maxEmpty)
			return at
		}
	}
	return nil
}

// isEmpty says whether t is a key's colon or an entry's dash that nothing
// seems to follow. It may take a long key for one, never an empty one for none.
func isEmpty(t *token.Token) bool {
	if t.Type != token.MappingValueType && t.Type != token.SequenceEntryType {
		return false
	}
	n := t.Next
	return n == nil || n.Type == token.CollectEntryType || n.Type == token.MappingEndType || n.Position.Line > t.Position.Line
}

func syntax(file string, err error) error {
	// The Error method of the library is not called: it prints the source with
	// colours, in quadratic time.
	p := &Problem{File: file, Line: 1, Column: 1, Text: "not YAML"}
	if y, ok := errors.AsType[yaml.Error](err); ok {
		p.Text = "not YAML: " + clip(strings.ReplaceAll(y.GetMessage(), "\t", `\t`))
		if t := y.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Column = t.Position.Line, t.Position.Column
		}
	}
	return p
}
