package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/bulletin"
	"varde/proto/document"
)

// TestBadFiles loads every bad-*.yaml, each of which has one fault, and
// compares the whole message with the comment at the head of the file.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad-*.yaml")
	if err != nil || len(files) < 60 {
		t.Fatalf("got %d bad files (%v), want at least 60", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			first, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			line, _, _ := strings.Cut(string(first), "\n")
			want := strings.TrimPrefix(line, "# want: ")
			_, err = Load(file)
			if err == nil {
				t.Fatalf("loaded, want %q", want)
			}
			wd, err2 := os.Getwd()
			if err2 != nil {
				t.Fatal(err2)
			}
			if got := strings.ReplaceAll(err.Error(), wd, "WD"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestAllErrorsAtOnce has faults of every sort in one file and wants each of
// them, in the order of the file, and none that only follows from another.
func TestAllErrorsAtOnce(t *testing.T) {
	const file = `name: c1
data: [x]
advertise: [c1:7950]
min_probes: two
regions:
  - {id: eu-north, weight: 4}
  - {id: eu-north, colour: blue}
services:
  - {id: imap, slo: 99.9}
  - {id: 7}
checks:
  - id: imap-login
    service: smtp
    kind: imap
    url: imaps://mail.example.net
    every: 30 seconds
    timeout: 10s
    regions: [oceania]
  - id: web
    service: imap
    kind: https
    url: https://mail.example.net
    every: 30s
pages:
  - {id: main, services: [imap], url: ftp://x}
`
	_, err := Parse("c.yaml", []byte(file))
	want := []string{
		`c.yaml:2:7: data: got a list, expected text`,
		`c.yaml:4:13: min_probes: got "two", expected a whole number above zero`,
		`c.yaml:7:10: regions[1].id: got "eu-north" again, expected it once (regions[0] has it)`,
		`c.yaml:7:20: regions[1].colour: got an unknown key, expected one of id, name, weight`,
		`c.yaml:10:10: services[1].id: got 7, expected text, in quotes: "7"`,
		`c.yaml:16:12: checks[0].every: got "30 seconds", expected a duration such as 30s, 15m, 7d or 1y`,
		`c.yaml:18:15: checks[0].regions[0]: got "oceania", expected the id of a region: one of ["eu-north"]`,
		`c.yaml:23:12: checks[1].every: got 30s, expected at least 3m: service imap does not say consent: true`,
		`c.yaml:25:39: pages[0].url: got "ftp://x", expected https://host`,
	}
	if err == nil {
		t.Fatal("parsed, want errors")
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// TestNoSecretInErrors puts a password where a file belongs.
func TestNoSecretInErrors(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	write(t, secret, "hunter2\nhunter3\n")
	path := filepath.Join(dir, "c.yaml")
	write(t, path, minimal+fmt.Sprintf("    login: {user: a, password: {file: %s}}\n", secret))
	_, err := Load(path)
	if err == nil || strings.Contains(err.Error(), "hunter") {
		t.Errorf("got %v, want an error without the secret", err)
	}
}

const minimal = `advertise: ["c1:7950"]
regions: [{id: north}]
services: [{id: imap, consent: true}]
checks:
  - id: imap
    service: imap
    kind: imap
    url: imaps://mail.example.net
    every: 30s
`

// TestDefaults reads the least that is a configuration.
func TestDefaults(t *testing.T) {
	got, err := Parse("c.yaml", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Name: "coordinator", Data: "/var/lib/varde-coordinator",
		Listen:    Listen{GRPC: ":7950", Public: ":8080", Ops: "127.0.0.1:8081"},
		Advertise: []string{"c1:7950"}, MinProbes: 2,
		Retention: Retention{
			Journal: 168 * time.Hour, Evidence: 9600 * time.Hour, Minutes: 720 * time.Hour,
			Hours: 8760 * time.Hour, Days: 87600 * time.Hour, JournalMax: 20_000_000_000,
		},
		Reports:  MonthlyReports,
		Regions:  []Region{{ID: "north", Name: "north", Weight: 1}},
		Services: []Service{{ID: "imap", Name: "imap", Consent: true}},
		Checks: []Check{{Target: checks.Target{
			ID: "imap", Service: "imap", Kind: checks.IMAP, URL: "imaps://mail.example.net",
			Every: 30 * time.Second, Timeout: 10 * time.Second, Consent: true,
		}}},
		Pages: []Page{{
			ID: "main", Title: "Status", Services: []string{"imap"}, Tell: bulletin.Auto, Language: "en", ApproveWithin: 10 * time.Minute,
			Dwell: Dwell{5 * time.Minute, 2 * time.Minute, time.Minute},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

// TestReportsCanBeOff: the word is no boolean.
func TestReportsCanBeOff(t *testing.T) {
	c, err := Parse("c.yaml", []byte(minimal+"reports: off\n"))
	if err != nil || c.Reports != NoReports {
		t.Errorf("got %q, %v, want off", c.Reports, err)
	}
}

// TestLoadResolvesPaths: relative paths start at the folder of the file, the
// secret gets the name of its check, and only certificates are read into it.
func TestLoadResolvesPaths(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secret"), "correct horse\n")
	pem, err := os.ReadFile("testdata/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "ca.pem"), string(pem))
	path := filepath.Join(dir, "c.yaml")
	write(t, path, "data: data\n"+minimal+"    login: {user: a, password: {file: secret}}\n    ca: {file: ca.pem}\n")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Checks[0]
	if want := (checks.Secret{File: filepath.Join(dir, "secret"), Name: "imap"}); got.Login.Password != want {
		t.Errorf("password: got %+v, want %+v", got.Login.Password, want)
	}
	if got.CA.File != filepath.Join(dir, "ca.pem") || string(got.CA.PEM) != string(pem) {
		t.Errorf("ca: got %q with %d bytes, want the file of the folder with %d", got.CA.File, len(got.CA.PEM), len(pem))
	}
	if c.Data != filepath.Join(dir, "data") {
		t.Errorf("data: got %q, want it in %q", c.Data, dir)
	}
	if s, err := ReadSecret("login.password", got.Login.Password.File); s != "correct horse" || err != nil {
		t.Errorf("secret: got %q, %v, want %q", s, err, "correct horse")
	}
}

// TestDataFolder is found in a file that is being edited, and nothing else is
// asked of it.
func TestDataFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.yaml")
	for text, want := range map[string]string{
		"data: here\nchecks: [{id: X, colour: blue}]\n": filepath.Join(dir, "here"),
		"data: /there\n": "/there",
		"name: c1\n":     "/var/lib/varde-coordinator",
	} {
		write(t, path, text)
		if got, err := DataFolder(path); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"data: 7\n", "- data\n", "data: [\n"} {
		write(t, path, text)
		if got, err := DataFolder(path); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}

func TestLoadRefusesFile(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.yaml")
	write(t, big, strings.Repeat("#", document.MaxBytes+1))
	for path, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "no such file or directory",
		dir:                             "not a regular file",
		"/dev/zero":                     "not a regular file",
		big:                             "more than 1048576 bytes",
	} {
		_, err := Load(path)
		if want := fmt.Sprintf("read configuration %s: %s", path, want); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	controls := func(urls string) string { return "controls: [" + urls + "]\n" + minimal }
	const few = ": with at least 3, in networks of their own, a probe tells its own faults from those of a service"
	for text, want := range map[string][]string{
		strings.Replace(minimal, "services: [", "services: [{id: web}, ", 1): {
			"services[0]: web has no check: it will stay unknown", "controls: got 0" + few,
		},
		controls(`"https://www.example.org/", "tcp://192.0.2.7:443", "tcp://198.51.100.9:443", "tcp://[2001:db8:1::1]:443", "tcp://[2001:db8:2::1]:443"`): nil,
		controls(`"https://www.example.org/", "tcp://192.0.2.7:443"`):                                                                                     {"controls: got 2" + few},
		controls(`"https://www.example.org/", "http://WWW.example.org./x", "tcp://192.0.2.7:443", "tcp://192.0.2.200:25", "https://[2001:db8:1::1]", "tcp://[2001:db8:1:2::1]:443"`): {
			"controls[1]: stands in www.example.org as controls[0] does: both fail together",
			"controls[3]: stands in 192.0.2.0/24 as controls[2] does: both fail together",
			"controls[5]: stands in 2001:db8:1::/48 as controls[4] does: both fail together",
		},
	} {
		c, err := Parse("c.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, c.Warnings()); diff != "" {
			t.Errorf("%s\nwarnings (-want +got):\n%s", text, diff)
		}
	}
}

// FuzzParse: whatever is read is valid.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/bad-*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(minimal))
	f.Add([]byte(example))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("c.yaml", data)
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("loaded, but not valid: %v", err)
		}
		if diff := cmp.Diff(c, c.WithDefaults()); diff != "" {
			t.Errorf("defaults are not stable:\n%s", diff)
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestPagesTell: what a page tells, when and in which language is checked, and words of
// one's own are read.
func TestPagesTell(t *testing.T) {
	c, err := Parse("c.yaml", []byte(minimal+"pages: [{id: main, tell: approve, approve_within: 5m, dwell: {minor: 10m}, language: nb}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Pages[0]; p.Tell != bulletin.Approve || p.ApproveWithin != 5*time.Minute || p.Dwell != (Dwell{10 * time.Minute, 2 * time.Minute, time.Minute}) {
		t.Errorf("got %+v", p)
	}
	if l, err := c.Pages[0].Lexicon(); err != nil || l.Tag() != "nb" {
		t.Errorf("got %v, %v, want Norwegian", l, err)
	}
	for text, want := range map[string]string{
		"tell: loudly":          `pages[0].tell: got "loudly", expected auto, approve or manual`,
		"dwell: {major: 2h}":    "pages[0].dwell.major: got 2h0m0s, expected at most 1h0m0s",
		"dwell: {huge: 2m}":     "pages[0].dwell.huge: got an unknown key",
		"approve_within: 48h":   "pages[0].approve_within: got 48h0m0s, expected at most 24h0m0s",
		"language: klingon":     `pages[0].language: got "klingon", expected de, en, nb, or the path of a .yaml file with words`,
		"language: ../../etc/x": `pages[0].language: got "../../etc/x"`,
	} {
		if _, err := Parse("c.yaml", []byte(minimal+"pages: [{id: main, "+text+"}]\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "c.yaml")
	write(t, path, minimal+"pages: [{id: main, language: fr.yaml}]\n")
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "pages[0].language: got") || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a file that is not there: got %v", err)
	}
	write(t, filepath.Join(dir, "fr.yaml"), "tag: fr\n")
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "fr.yaml") || !strings.Contains(err.Error(), "months: got 0, expected 12") {
		t.Errorf("words that are missing: got %v", err)
	}
	english, err := os.ReadFile("../bulletin/words/en.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "fr.yaml"), strings.Replace(string(english), "tag: en", "tag: fr", 1))
	if c, err := Load(path); err != nil {
		t.Error(err)
	} else if l, err := c.Pages[0].Lexicon(); err != nil || l.Tag() != "fr" {
		t.Errorf("words of one's own: got %v, %v", l, err)
	}
}
