package varde_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// strangers are words that mean something only where the project is made, or
// promise something that is not there.
func strangers() *regexp.Regexp {
	return regexp.MustCompile(strings.Join([]string{
		`\b[Ii]ssue #?\d`,
		`/work/main`, `\.\./shared`, `shared/(design|contract|methods|style|deps)`,
		`\b(contract|design|methods|style|deps)\.md\b`,
		`\bTODO\b`, `\bFIXME\b`,
		`this version`, `no probe tries`, `tries none`,
		`proxy\.golang\.org`, `GOPROXY`, `registry\.npmjs`,
	}, "|"))
}

// TestWords reads every text of the repository but this one.
func TestWords(t *testing.T) {
	seen, words := 0, strangers()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		text := slices.Contains([]string{".go", ".md", ".yaml", ".yml", ".sh", ".proto", ".html", ".css", ".txt", ".service"}, filepath.Ext(path))
		if d.IsDir() || path == "words_test.go" || !text && path != ".ci/run" {
			return nil
		}
		seen++
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range bytes.Split(data, []byte("\n")) {
			if found := words.Find(line); found != nil {
				t.Errorf("%s:%d: %q has no meaning outside", path, i+1, found)
			}
		}
		return nil
	})
	if err != nil || seen < 100 {
		t.Errorf("read %d texts, %v, want at least 100", seen, err)
	}
}

// TestReadme holds the first page to its length and its first screen.
func TestReadme(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	if len(lines) >= 200 {
		t.Errorf("README.md has %d lines, expected fewer than 200", len(lines))
	}
	first := strings.Join(lines[:min(len(lines), 30)], "\n")
	for _, want := range []string{"go run ./deploy/local", "go test ./...", "](deploy/local/page.png)"} {
		if !strings.Contains(first, want) {
			t.Errorf("the first screen of README.md does not hold %q", want)
		}
	}
	// What a page links to is there.
	for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(string(data), -1) {
		if _, err := os.Stat(link[1]); err != nil {
			t.Errorf("README.md links to %s: %v", link[1], err)
		}
	}
}
