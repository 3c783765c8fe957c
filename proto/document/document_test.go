package document

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"varde/checks"
)

// sample has a key of every type that can be read.
type sample struct {
	Text     string          `yaml:"text"`
	Flag     bool            `yaml:"flag"`
	Count    int             `yaml:"count"`
	Share    float64         `yaml:"share"`
	Every    time.Duration   `yaml:"every"`
	Size     int64           `yaml:"size"`
	Families []checks.Family `yaml:"families,omitempty"`
	Login    *checks.Login   `yaml:"login"`
	List     []part          `yaml:"list"`
	Unseen   string          `yaml:"-"`
	Inner    `yaml:",inline"`
}

// Inner is embedded: its keys stand among those of sample.
type Inner struct {
	Status checks.Statuses   `yaml:"status"`
	Words  map[string]string `yaml:"words"`
}

type part struct {
	ID string `yaml:"id"`
}

func read(text string) (sample, error) {
	s := sample{Text: "as it was"}
	d, err := Read("F", []byte(text), &s)
	if err != nil {
		return s, err
	}
	return s, d.Err()
}

func TestRead(t *testing.T) {
	for text, want := range map[string]sample{
		"":                {Text: "as it was"},
		"# only a word":   {Text: "as it was"},
		"---\ncount: 3\n": {Text: "as it was", Count: 3},
		`
text: |
  two
  lines
flag: true
share: 0.5
every: 1m30s
size: 20GB
families: [ipv6]
login: {user: a, password: {file: f}}
list:
  - id: "7"
  - {id: b}
status: [200, 301-308]
words: {a: b, "c d": ""}
`: {
			Text: "two\nlines\n", Flag: true, Share: 0.5, Every: 90 * time.Second, Size: 20e9,
			Families: []checks.Family{checks.IPv6}, Login: &checks.Login{User: "a", Password: checks.Secret{File: "f"}},
			List: []part{{"7"}, {"b"}}, Inner: Inner{"200, 301-308", map[string]string{"a": "b", "c d": ""}},
		},
		"status: 204\n": {Text: "as it was", Inner: Inner{Status: "204"}},
		"status: 2xx\n": {Text: "as it was", Inner: Inner{Status: "2xx"}},
	} {
		got, err := read(text)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%q: %v, (-want +got):\n%s", text, err, d)
		}
	}
}

// TestEveryFaultAtOnce has a fault of every sort in one document, and one of
// each sort that hides the rest.
func TestEveryFaultAtOnce(t *testing.T) {
	for text, want := range map[string]string{
		`list: word
text: [a]
flag: yes
count: 0
share: many
every: 30
size: 20
families: [ipv5]
login: {user: ~, password: hunter2}
colour: blue
text: twice
status: 99
words: {a: [b], c: d, c: e}
`: `F:1:7: list: got "word", expected a list
F:2:7: text: got a list, expected text
F:2:7: text: got the key again at line 11, expected it once
F:3:7: flag: got "yes", expected true or false
F:4:8: count: got 0, expected a whole number above zero
F:5:8: share: got "many", expected a number above zero
F:6:8: every: got "30", expected a duration such as 30s, 15m, 7d or 1y
F:7:7: size: got "20", expected a size such as 500MB or 20GB
F:8:12: families[0]: got "ipv5", expected ipv4 or ipv6
F:9:15: login.user: got nothing, expected text
F:9:28: login.password: got one value, expected keys (file)
F:10:1: colour: got an unknown key, expected one of text, flag, count, share, every, size, families, login, list, status, words
F:12:9: status: got 99, expected HTTP statuses such as 200, 2xx or [200, 301-308]
F:13:12: words.a: got a list, expected text
F:13:20: words.c: got the key again, expected it once`,
		"words: 7":                        `F:1:8: words: got 7, expected keys, each with a text`,
		"login: {password: {hunter2: x}}": `F:1:20: login.password.?: got an unknown key, expected one of file`,
		"- a":                             `F:1:1: got a list, expected keys (text, flag, count, share, every, size, families, login, list, status, words)`,
		"text: [":                         `F:1:7: not YAML: sequence end token ']' not found`,
		"text: a\n---\ntext: b":           `F:3:1: got a second document, expected one`,
		"text: &a b":                      `F:1:7: got an anchor (&), expected the value written out`,
		"text: \xff":                      `F:1:1: got bytes that are not UTF-8, expected text`,
	} {
		if _, err := read(text); err == nil || err.Error() != want {
			t.Errorf("%q: got\n%v\nwant\n%s", text, err, want)
		}
	}
}

// TestErrLeavesOutWhatFollows: what is found wrong with a key that could not be
// read, or above or below it, is no news.
func TestErrLeavesOutWhatFollows(t *testing.T) {
	var s sample
	d, err := Read("F", []byte("login: {user: [], password: {file: f}}\nlist: 7\ncount: 3\n"), &s)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Unread(); !cmp.Equal(got, []string{"login.user", "list"}) {
		t.Errorf("unread: got %q", got)
	}
	fault := func(key string) *checks.FieldError { return &checks.FieldError{Field: key, Problem: "is wrong"} }
	got := d.Err(fault("list[0].id"), fault("login"), fault("login.user"), fault("count"), fault("login.password.file"), fault("absent.key"))
	want := `F:1:1: absent.key: is wrong
F:1:15: login.user: got a list, expected text
F:1:36: login.password.file: is wrong
F:2:7: list: got 7, expected a list
F:3:8: count: is wrong`
	if got == nil || got.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", got, want)
	}
	if p, ok := errors.AsType[*Problem](got); !ok {
		t.Errorf("got %T, want problems", got)
	} else if file, line, column := p.Place(); file != "F" || line != 1 || column != 1 {
		t.Errorf("the first problem is at %s:%d:%d, want F:1:1", file, line, column)
	}
	if got := d.ErrAt("list"); got == nil || got.Error() != "F:2:7: list: got 7, expected a list" {
		t.Errorf("at list: got %v", got)
	}
	if got := d.ErrAt("count"); got != nil {
		t.Errorf("at count: got %v, want nothing", got)
	}
}

func TestManyProblemsAreCutOff(t *testing.T) {
	_, err := read("list: [" + strings.Repeat("a, ", 2*maxProblems) + "]")
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != maxProblems+1 || lines[maxProblems] != "F: 100 more errors" {
		t.Errorf("got %d lines ending in %q, want %d and the number of the rest", len(lines), lines[len(lines)-1], maxProblems+1)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var s sample
	if _, err := Load(write("good", "text: a"), &s); err != nil || s.Text != "a" {
		t.Errorf("got %+v, %v", s, err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file or directory",
		dir:                        "not a regular file",
		"/dev/zero":                "not a regular file",
		write("big", strings.Repeat("#", MaxBytes+1)): "more than 1048576 bytes",
	} {
		if _, err := Load(path, &s); err == nil || err.Error() != "read configuration "+path+": "+want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := Load(filepath.Join(dir, "none"), &s); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want it to be fs.ErrNotExist", err)
	}
}

// TestScalarIsReadBack: what Scalar writes, Read reads.
func TestScalarIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.OneOf(rapid.StringMatching(`[ -~]{0,30}`), rapid.StringMatching(`\PC{0,9}`),
			rapid.SampledFrom([]string{"true", "7", "~", "null", "a: b", "# a", "- a", "? !", "? it's", "?", "30s", "'", `"`})).Draw(t, "text")
		text, err := Scalar(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := read("text: " + text + "\n"); err != nil || got.Text != want {
			t.Fatalf("got %q, %v, want %q from %s", got.Text, err, want, text)
		}
	})
}

// TestHostileFilesAreCheap bounds the time for files that are made to be slow.
// The limit is wide: what it guards against takes minutes.
func TestHostileFilesAreCheap(t *testing.T) {
	for name, file := range map[string]string{
		"brackets": strings.Repeat("[", MaxBytes/4),
		"braces":   strings.Repeat("{a: ", MaxBytes/16),
		"dashes":   strings.Repeat("- ", MaxBytes/8),
		"complex":  strings.Repeat("? ", MaxBytes/2),
		"anchors":  strings.Repeat("&a ", MaxBytes/9),
		"tags":     strings.Repeat("!a ", MaxBytes/3),
		"deep":     deepKeys(1400),
		"comments": strings.Repeat("#\n", MaxBytes/8) + "[",
		"empty":    strings.Repeat("a:\n", MaxBytes/9),
		"keys":     strings.Repeat("a: 1\n", MaxBytes/20),
		"entries":  "list: [" + strings.Repeat("a,", maxItems-1) + "]",
		"commas":   "[" + strings.Repeat(",", MaxBytes/4),
		"quotes":   strings.Repeat("\"", MaxBytes/4),
		"lines":    strings.Repeat("\n", MaxBytes-1) + "[",
		"literal":  "a: |\n" + strings.Repeat(" x\n", MaxBytes/3-5),
		"bomb": "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n" +
			"c: &c [*b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c]\n",
	} {
		start := time.Now()
		if _, err := read(file); err == nil {
			t.Errorf("%s: parsed, want an error", name)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: took %s", name, took)
		} else {
			t.Logf("%s: %d bytes in %s", name, len(file), took.Round(time.Millisecond))
		}
	}
}

func deepKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
	}
	return b.String()
}

// FuzzRead: arbitrary bytes never panic, every problem is one line that begins
// with the file, and reading twice gives the same.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"", "text: a\ncount: 3", "list:\n  - id: a\n  -\n  - {id: b", "login: {user: a, password: {file: \"f\\x00\"}}",
		"every: 1m\nsize: 1GB\nshare: 1e3\nfamilies: [ipv4, ipv6]", "text: |\n  a\n\n  b\n", "text: >-\n  a", "? a\n: b",
		"---\n...\n---\na", "%YAML 1.2\n---\n", "text: !!str 7", "a: &a [*a]", "<<: {text: a}", "\t", "'", "\xff", "text: a\ntext: b\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := read(string(data))
		again, errAgain := read(string(data))
		if d := cmp.Diff(got, again); d != "" || fmt.Sprint(err) != fmt.Sprint(errAgain) {
			t.Errorf("read twice (-first +second): %s, %v and %v", d, err, errAgain)
		}
		if err == nil {
			return
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !strings.HasPrefix(line, "F:") && !strings.HasPrefix(line, "read configuration F: ") {
				t.Errorf("a line without its file: %q", line)
			}
		}
	})
}

// short is a type of keys that may also be written as one word.
type short struct {
	ID   string `yaml:"id"`
	Flag *bool  `yaml:"flag"`
}

func (s *short) UnmarshalText(b []byte) error {
	s.ID = string(b)
	if len(b) != 1 {
		return errors.New("a letter")
	}
	return nil
}

// TestWordOrKeys: what a type can read from one word it can still read from keys.
func TestWordOrKeys(t *testing.T) {
	no := false
	for text, want := range map[string]short{"a": {ID: "a"}, "{id: b}": {ID: "b"}, "{id: b, flag: false}": {ID: "b", Flag: &no}} {
		var got struct {
			Of map[string]short `yaml:"of"`
		}
		d, err := Read("F", []byte("of: {x: "+text+"}"), &got)
		if diff := cmp.Diff(want, got.Of["x"]); diff != "" || errors.Join(err, d.Err()) != nil {
			t.Errorf("%s: %v, (-want +got):\n%s", text, errors.Join(err, d.Err()), diff)
		}
	}
	for text, want := range map[string]string{
		"ab": `F:1:9: of.x: got "ab", expected a letter`, "~": "F:1:9: of.x: got nothing, expected keys (id, flag)", "[a]": "F:1:9: of.x: got a list, expected keys (id, flag)",
	} {
		var got struct {
			Of map[string]short `yaml:"of"`
		}
		if d, err := Read("F", []byte("of: {x: "+text+"}"), &got); err != nil || d.Err() == nil || d.Err().Error() != want {
			t.Errorf("%s: got %v, %v, want %s", text, err, d.Err(), want)
		}
	}
}
