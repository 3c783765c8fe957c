package varde_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The bar. Wiring may be longer, since it only lists what belongs together.
const (
	maxFileLines   = 400
	maxFuncLines   = 80
	maxWiringLines = 120
	maxMedianFunc  = 12
	maxP90Func     = 40
)

// file is one parsed file of ours.
type file struct {
	pkg    string // import path
	name   string // path in the repository
	test   bool
	syntax *ast.File
	fset   *token.FileSet
}

func (f file) line(p token.Pos) int { return f.fset.Position(p).Line }

// parsed is every file that a person wrote, parsed once.
var parsed = sync.OnceValues(func() ([]file, error) {
	root, err := filepath.Abs(".")
	if err != nil {
		return nil, err
	}
	all, err := listed()
	var out []file
	for _, p := range all {
		for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			fset := token.NewFileSet()
			path := filepath.Join(p.Dir, name)
			syntax, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
			if err != nil {
				return nil, err
			}
			short, err := filepath.Rel(root, path)
			if err != nil {
				return nil, err
			}
			if !ast.IsGenerated(syntax) {
				out = append(out, file{p.ImportPath, short, strings.HasSuffix(name, "_test.go"), syntax, fset})
			}
		}
	}
	return out, err
})

func files(t *testing.T) []file {
	t.Helper()
	all, err := parsed()
	if err != nil || len(all) < 100 {
		t.Fatalf("got %d files, %v, want the whole house", len(all), err)
	}
	return all
}

// TestLengths holds files and functions to the bar.
func TestLengths(t *testing.T) {
	var lengths []int
	for _, f := range files(t) {
		if n := f.line(f.syntax.FileEnd); n > maxFileLines && !f.test {
			t.Errorf("%s: %d lines, expected at most %d", f.name, n, maxFileLines)
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil || f.test {
				continue
			}
			n := f.line(fn.End()) - f.line(fn.Pos()) + 1
			lengths = append(lengths, n)
			most := maxFuncLines
			if f.pkg == "varde/probe/agent" || f.pkg == "varde/coordinator/server" {
				most = maxWiringLines
			}
			if n > most {
				t.Errorf("%s:%d: %s has %d lines, expected at most %d", f.name, f.line(fn.Pos()), fn.Name.Name, n, most)
			}
		}
	}
	slices.Sort(lengths)
	median, p90 := lengths[len(lengths)/2], lengths[len(lengths)*9/10]
	if median > maxMedianFunc || p90 > maxP90Func {
		t.Errorf("functions: median %d and 90th percentile %d lines, expected at most %d and %d", median, p90, maxMedianFunc, maxP90Func)
	}
	t.Logf("%d functions: median %d, 90th percentile %d, longest %d lines", len(lengths), median, p90, lengths[len(lengths)-1])
}

// TestPackageComments wants exactly one package comment in every package, in
// the form that godoc shows.
func TestPackageComments(t *testing.T) {
	docs, names := map[string][]string{}, map[string]string{}
	for _, f := range files(t) {
		if f.test {
			continue
		}
		names[f.pkg] = f.syntax.Name.Name
		if f.syntax.Doc == nil {
			continue
		}
		docs[f.pkg] = append(docs[f.pkg], f.name)
		want := "Package " + f.syntax.Name.Name + " "
		if f.syntax.Name.Name == "main" {
			want = "Command "
		}
		if !strings.HasPrefix(f.syntax.Doc.Text(), want) {
			t.Errorf("%s: the package comment begins with %.30q, expected %q", f.name, f.syntax.Doc.Text(), want)
		}
	}
	for pkg := range names {
		if len(docs[pkg]) != 1 {
			t.Errorf("%s: got package comments in %q, expected one", pkg, docs[pkg])
		}
	}
}

// TestExportedNamesAreDocumented wants a comment on every exported name that
// godoc shows, beginning with the name, and ending as a sentence does.
func TestExportedNamesAreDocumented(t *testing.T) {
	for _, f := range files(t) {
		if f.test {
			continue
		}
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && receiverIsExported(d) {
					f.documented(t, d.Name, d.Doc)
				}
			case *ast.GenDecl:
				f.documentedSpecs(t, d)
			}
		}
	}
}

func receiverIsExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	x := d.Recv.List[0].Type
	if star, ok := x.(*ast.StarExpr); ok {
		x = star.X
	}
	if index, ok := x.(*ast.IndexExpr); ok {
		x = index.X
	}
	name, ok := x.(*ast.Ident)
	return ok && name.IsExported()
}

func (f file) documentedSpecs(t *testing.T, d *ast.GenDecl) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() {
				doc := s.Doc
				if doc == nil && d.Lparen.IsValid() && d.Doc != nil {
					continue // one comment for a group, as for constants
				}
				if doc == nil {
					doc = d.Doc
				}
				f.documented(t, s.Name, doc)
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				// A block of constants may have one comment for all.
				if name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
					t.Errorf("%s:%d: %s has no comment", f.name, f.line(name.Pos()), name.Name)
				}
			}
		}
	}
}

func (f file) documented(t *testing.T, name *ast.Ident, doc *ast.CommentGroup) {
	text := strings.TrimSpace(doc.Text())
	words := strings.Fields(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(text, "A "), "An "), "The "))
	switch {
	case text == "":
		t.Errorf("%s:%d: %s has no comment", f.name, f.line(name.Pos()), name.Name)
	case !strings.HasPrefix(words[0], name.Name):
		t.Errorf("%s:%d: the comment of %s begins with %q, expected the name", f.name, f.line(name.Pos()), name.Name, words[0])
	case !strings.ContainsAny(text[len(text)-1:], ".:)!?`\"") && !strings.Contains(text, "\n\t"):
		t.Errorf("%s:%d: the comment of %s ends with %q, expected a full stop", f.name, f.line(name.Pos()), name.Name, text[max(0, len(text)-20):])
	}
}

// TestNoPackageState wants no init and no variable that can hold state: what a
// program does must follow from what it was given.
func TestNoPackageState(t *testing.T) {
	for _, f := range files(t) {
		if f.test {
			continue
		}
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "init" && d.Recv == nil {
					t.Errorf("%s:%d: init, expected a call from where it is needed", f.name, f.line(d.Pos()))
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if v, ok := s.(*ast.ValueSpec); ok && d.Tok == token.VAR && !constant(v, d) {
						t.Errorf("%s:%d: the variable %s, expected no state in a package", f.name, f.line(v.Pos()), v.Names[0].Name)
					}
				}
			}
		}
	}
}

// constant says whether a variable is one only because Go has no such constant:
// a proof, an error, a table, a pattern, a template, an embedded file.
func constant(v *ast.ValueSpec, d *ast.GenDecl) bool {
	for _, doc := range []*ast.CommentGroup{v.Doc, d.Doc} {
		if doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") }) {
			return true
		}
	}
	if v.Names[0].Name == "_" {
		return true
	}
	for _, x := range v.Values {
		if !constantValue(x) {
			return false
		}
	}
	return len(v.Values) > 0
}

func constantValue(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.CompositeLit, *ast.BasicLit:
		return true
	case *ast.CallExpr:
		if _, computed := x.Fun.(*ast.FuncLit); computed {
			return true
		}
		if sel, ok := x.Fun.(*ast.SelectorExpr); ok {
			from, isPackage := sel.X.(*ast.Ident)
			if isPackage && slices.Contains([]string{
				"errors.New", "fmt.Errorf", "regexp.MustCompile", "template.Must",
				"json.RawMessage", "netip.MustParseAddr", "netip.MustParsePrefix",
			}, from.Name+"."+sel.Sel.Name) {
				return true
			}
		}
	}
	return false
}

// realTime lists the files that wait in real time because what they wait for is
// outside every bubble and says nothing, with the reason.
func realTime() map[string]string {
	return map[string]string{
		"coordinator/internal/journal/crash_test.go": "a process of its own is killed",
		"probe/internal/mesh/mesh.go":                "memberlist does not say when its last goroutine has ended",
	}
}

// TestNoSleeping wants waits in tests to be exact: inside a bubble, or on what
// is waited for. A package without a bubble must not sleep, and what is shipped
// must not sleep at all.
func TestNoSleeping(t *testing.T) {
	all := files(t)
	bubbles := map[string]bool{}
	for _, f := range all {
		for _, i := range f.syntax.Imports {
			bubbles[f.pkg] = bubbles[f.pkg] || i.Path.Value == `"testing/synctest"`
		}
	}
	excused := realTime()
	for _, f := range all {
		sleeps := calls(f.syntax, "time", "Sleep")
		if _, ok := excused[f.name]; len(sleeps) == 0 || ok {
			if len(sleeps) > 0 {
				delete(excused, f.name)
			}
			continue
		}
		if !bubbles[f.pkg] || !f.test && !strings.HasSuffix(f.syntax.Name.Name, "test") {
			t.Errorf("%s:%d: time.Sleep, expected a bubble or a wait for what should happen", f.name, f.line(sleeps[0].Pos()))
		}
	}
	for name := range excused {
		t.Errorf("%s is excused from waiting exactly and does not sleep", name)
	}
}

// TestPureRoomsTellNoTime: the time is an argument there.
func TestPureRoomsTellNoTime(t *testing.T) {
	for _, f := range files(t) {
		room, ok := strings.CutPrefix(f.pkg, "varde/coordinator/internal/")
		if f.test || !ok || !slices.Contains(pureRooms(), room) {
			continue
		}
		for _, name := range []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker"} {
			for _, c := range calls(f.syntax, "time", name) {
				t.Errorf("%s:%d: time.%s, expected the time as an argument", f.name, f.line(c.Pos()), name)
			}
		}
	}
}

// calls finds the calls of a function of a package.
func calls(syntax *ast.File, pkg, name string) []*ast.CallExpr {
	var found []*ast.CallExpr
	ast.Inspect(syntax, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == name {
			if from, ok := sel.X.(*ast.Ident); ok && from.Name == pkg {
				found = append(found, call)
			}
		}
		return true
	})
	return found
}

// TestErrors holds errors to their form: wrapped so that callers can ask for
// the cause, and compared through the wrapping.
func TestErrors(t *testing.T) {
	for _, f := range files(t) {
		if f.test {
			continue
		}
		for _, c := range calls(f.syntax, "fmt", "Errorf") {
			f.checkErrorf(t, c)
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if b, ok := n.(*ast.BinaryExpr); ok && (b.Op == token.EQL || b.Op == token.NEQ) && isErr(b.X) && !isIdent(b.Y, "nil") {
				t.Errorf("%s:%d: an error is compared with %s, expected errors.Is", f.name, f.line(b.Pos()), b.Op)
			}
			return true
		})
	}
}

// checkErrorf wants %w for an argument called err, and words that do not repeat
// themselves at every level.
func (f file) checkErrorf(t *testing.T, c *ast.CallExpr) {
	format, ok := c.Args[0].(*ast.BasicLit)
	if !ok {
		return
	}
	for _, tired := range []string{"failed to", "error while", "unable to"} {
		if strings.Contains(format.Value, tired) {
			t.Errorf("%s:%d: %s says %q, expected what was being done", f.name, f.line(c.Pos()), format.Value, tired)
		}
	}
	if len(c.Args) > 1 && isErr(c.Args[len(c.Args)-1]) && !strings.Contains(format.Value, "%w") {
		t.Errorf("%s:%d: %s hides its cause, expected %%w", f.name, f.line(c.Pos()), format.Value)
	}
}

func isErr(x ast.Expr) bool { return isIdent(x, "err") }

func isIdent(x ast.Expr, name string) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == name
}
