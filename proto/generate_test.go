package proto_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// madeBy are the lines that name the version of protoc. Another version may be
// installed here; what it makes must be the same all the same.
var madeBy = regexp.MustCompile(`(?m)^//.*\bprotoc\b.*\n`)

// TestGeneratedCodeIsCurrent fails when a .proto was changed and `go generate
// ./proto` was forgotten.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	if _, err := exec.LookPath("protoc"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("VARDE_REQUIRE"), ","), "protoc") {
			t.Fatal("protoc is required and missing")
		}
		t.Skip("skipped: protoc is not installed, so the generated code cannot be compared with the .proto files")
	}
	fresh := t.TempDir()
	if out, err := exec.Command("go", "run", "./generate", fresh).CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}
	want := generated(t, fresh)
	got := generated(t, ".")
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s is not what its .proto says now: run `go generate ./proto`", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s has no .proto any more: remove it", name)
		}
	}
	if len(want) == 0 {
		t.Error("the generator made nothing")
	}
}

// generated returns the generated files below root, without the names of the
// tools that made them.
func generated(t *testing.T, root string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "varde/v1/*.pb.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string, len(names))
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = madeBy.ReplaceAllString(string(b), "")
	}
	return files
}
