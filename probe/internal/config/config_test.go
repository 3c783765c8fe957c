package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"varde/proto/document"
)

// What the contract shows, and what a person may leave out.
func TestLoad(t *testing.T) {
	for text, want := range map[string]Config{
		"state: /var/lib/varde-probe\nmesh: {bind: \"0.0.0.0:7946\", advertise: 192.0.2.10}\npeer: {bind: \"0.0.0.0:7947\"}\n": {
			State: "/var/lib/varde-probe", Mesh: Mesh{"0.0.0.0:7946", "192.0.2.10"}, Peer: Peer{"0.0.0.0:7947"},
		},
		"":                               Default(""),
		"# nothing but this":             Default(""),
		"mesh: {}\n":                     Default(""),
		"state: /srv/p 1 # with a space": {State: "/srv/p 1", Mesh: Default("").Mesh, Peer: Default("").Peer},
		"peer: {}\n":                     Default(""),
		"peer: {bind: off}\n":            {State: DefaultState, Mesh: Default("").Mesh},
		"peer: {bind: \"off\"}\n":        {State: DefaultState, Mesh: Default("").Mesh},
		"peer: {bind: \"\"}\n":           {State: DefaultState, Mesh: Default("").Mesh},
		"peer: {bind: \":7948\"}\n":      {State: DefaultState, Mesh: Default("").Mesh, Peer: Peer{"[::]:7948"}},
		"mesh: {bind: \":7000\", advertise: '[2001:db8::1]:80'}\npeer:\n  bind: '[::]:0'": {
			State: DefaultState, Mesh: Mesh{"[::]:7000", "[2001:db8::1]:80"}, Peer: Peer{"[::]:0"},
		},
	} {
		path := filepath.Join(t.TempDir(), "probe.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Load(path); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestStateIsRelativeToTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "probe.yaml")
	for text, want := range map[string]string{"state: .": dir, "state: keep/here": filepath.Join(dir, "keep/here"), "state: /srv/p": "/srv/p"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Load(path); err != nil || got.State != want {
			t.Errorf("%q: got %q, %v, want %q", text, got.State, err, want)
		}
	}
}

func TestLoadBadConfigs(t *testing.T) {
	want := map[string][]string{
		"bad-advertise.yaml": {`F:1:41: mesh.advertise: got "0.0.0.0", expected an IP at which other probes reach this one`},
		"bad-alias.yaml":     {"F:1:8: got an anchor (&), expected the value written out"},
		"bad-all-values.yaml": {
			`F:1:8: state: got "", expected a folder`,
			`F:2:14: mesh.bind: got "here", expected IP:port`,
			`F:2:31: mesh.advertise: got "there", expected an IP at which other probes reach this one`,
			`F:3:14: peer.bind: got "nowhere", expected IP:port or off`,
		},
		"bad-bind.yaml":        {`F:1:14: mesh.bind: got "probe.example.net:7946", expected IP:port`},
		"bad-empty-state.yaml": {`F:1:8: state: got "", expected a folder`},
		"bad-everything.yaml": {
			"F:1:1: stat: got an unknown key, expected one of state, mesh, peer",
			"F:3:9: mesh.bind: got a list, expected text",
			`F:4:14: mesh.advertise: got true, expected text, in quotes: "true"`,
			"F:5:8: peer.bin: got an unknown key, expected one of bind",
		},
		"bad-list.yaml": {
			"F:2:3: state: got a list, expected text",
			"F:4:3: peer: got a list, expected keys (bind)",
		},
		"bad-mesh-not-keys.yaml": {"F:1:7: mesh: got one value, expected keys (bind, advertise)"},
		"bad-no-value.yaml":      {"F:2:1: not YAML: non-map value is specified"},
		"bad-not-keys.yaml":      {"F:1:1: got one value, expected keys (state, mesh, peer)"},
		"bad-nothing.yaml": {
			"F:1:7: state: got nothing, expected text",
			"F:2:7: mesh: got nothing, expected keys (bind, advertise)",
		},
		"bad-port.yaml":          {`F:2:9: peer.bind: got "0.0.0.0:79470", expected IP:port or off`},
		"bad-syntax.yaml":        {"F:3:1: not YAML: ',' or '}' must be specified"},
		"bad-tab.yaml":           {`F:2:1: not YAML: found character '\t' that cannot start any token`},
		"bad-twice.yaml":         {"F:1:8: state: got the key again at line 3, expected it once"},
		"bad-two-documents.yaml": {"F:3:1: got a second document, expected one"},
		"bad-type.yaml":          {`F:1:14: mesh.bind: got 7946, expected text, in quotes: "7946"`},
		"bad-unknown-key.yaml":   {"F:4:3: mesh.advertize: got an unknown key, expected one of bind, advertise"},
		"bad-unknown-top.yaml":   {"F:1:1: coordinator: got an unknown key, expected one of state, mesh, peer"},
	}
	paths, err := filepath.Glob("testdata/bad-*.yaml")
	if err != nil || len(paths) != len(want) {
		t.Errorf("%d files, %d expectations, %v", len(paths), len(want), err)
	}
	for _, path := range paths {
		_, err := Load(path)
		if err == nil {
			t.Errorf("%s: loaded", path)
			continue
		}
		got := strings.ReplaceAll(err.Error(), path, "F")
		if d := cmp.Diff(want[filepath.Base(path)], strings.Split(got, "\n")); d != "" {
			t.Errorf("%s (-want +got):\n%s", path, d)
		}
	}
}

func TestLoadMissingAndHuge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "probe.yaml")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) || err.Error() != "read configuration "+path+": no such file or directory" {
		t.Errorf("missing: %v", err)
	}
	if err := os.WriteFile(path, make([]byte, document.MaxBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || err.Error() != "read configuration "+path+": more than 1048576 bytes" {
		t.Errorf("huge: %v", err)
	}
}

// What Write writes, Load reads.
func TestWriteIsReadBack(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		c := Default(rapid.OneOf(rapid.StringMatching(`/[ -~]{1,30}`), rapid.StringMatching(`/\PC{1,9}`)).Draw(t, "state"))
		c.Peer.Bind = rapid.SampledFrom([]string{"", "0.0.0.0:7947", "[::1]:0"}).Draw(t, "peer")
		c.Mesh.Advertise = rapid.SampledFrom([]string{"", "192.0.2.10", "[2001:db8::1]:7946"}).Draw(t, "advertise")
		n++
		path := filepath.Join(dir, "etc", fmt.Sprint(n))
		if err := c.Write(path); err != nil {
			t.Fatal(err)
		}
		if got, err := Load(path); err != nil || got != c {
			text, _ := os.ReadFile(path)
			t.Fatalf("got %+v, %v, want %+v from\n%s", got, err, c, text)
		}
	})
}

func TestWriteNeverReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "varde", "probe.yaml")
	c := Default("/srv/probe")
	c.Mesh.Advertise = "192.0.2.10"
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/written.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != string(golden) {
		t.Errorf("got\n%s", got)
	}
	if err := Default("/srv/other").Write(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second write: %v", err)
	}
	if got, err := Load(path); err != nil || got != c {
		t.Errorf("got %+v, %v", got, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// FuzzRead: whatever is read is valid.
func FuzzRead(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := Default("")
		d, err := document.Read("F", b, &c)
		if err != nil {
			return
		}
		if c, err = c.finish("F", d); err != nil {
			return
		}
		if faults := c.faults(); len(faults) > 0 {
			t.Errorf("%q: loaded with %v", b, faults)
		}
	})
}
