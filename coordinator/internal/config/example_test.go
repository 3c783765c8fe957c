package config

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestExampleLoads(t *testing.T) {
	for _, host := range []string{"c1.example.net", "192.0.2.10", "2001:db8::1"} {
		text, err := Example{Name: "c1", Data: "/tmp/with space: and #", Host: host}.Text()
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse("c.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if c.Name != "c1" || c.Data != "/tmp/with space: and #" || !strings.Contains(c.Advertise[0], host) {
			t.Errorf("got %q, %q, %q", c.Name, c.Data, c.Advertise)
		}
		if len(c.Controls)+len(c.Checks) != 0 {
			t.Errorf("got %d controls and %d checks, want none: nobody is contacted unasked", len(c.Controls), len(c.Checks))
		}
	}
}

func TestExampleRefusesWhatItCannotWrite(t *testing.T) {
	for _, e := range []Example{
		{Name: "Not an id", Data: "/x", Host: "h"},
		{Name: "c1", Data: "", Host: "h"},
		{Name: "c1", Data: "/x", Host: "bad host"},
		{Name: "c1", Data: "/x", Host: ""},
	} {
		if _, err := e.Text(); err == nil {
			t.Errorf("%+v: written, want an error", e)
		}
	}
}

// TestExampleCommentsAreValid takes the comment signs off the examples in the
// example: what a person would do first must load.
func TestExampleCommentsAreValid(t *testing.T) {
	text := strings.NewReplacer("{{.Name}}", "c1", "{{.Data}}", "data", "{{.Host}}", "c1").Replace(example)
	dir := t.TempDir()
	path := filepath.Join(dir, "c.yaml")
	write(t, path, strings.ReplaceAll(uncomment(text), "secrets/probe", "secret"))
	write(t, filepath.Join(dir, "secret"), "x\n")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Controls) != 3 || len(c.Services) != 3 || len(c.Checks) != 4 || len(c.Pages[0].Services) != 3 {
		t.Errorf("got %d controls, %d services, %d checks, %d services on the page, want 3 of each and 4 checks",
			len(c.Controls), len(c.Services), len(c.Checks), len(c.Pages[0].Services))
	}
	if w := c.Warnings(); len(w) != 0 {
		t.Errorf("warnings: %q", w)
	}
}

// uncomment replaces each top-level key that has a commented twin by that twin.
func uncomment(text string) string {
	twin := regexp.MustCompile(`(?m)^(controls|services|checks|pages):.*\n(?:  .*\n)?# (controls|services|checks|pages):`)
	text = twin.ReplaceAllString(text, "# $2:")
	var out []string
	inside := false
	for line := range strings.Lines(text) {
		head := regexp.MustCompile(`^# (controls|services|checks|pages):`).MatchString(line)
		inside = head || inside && strings.HasPrefix(line, "#   ")
		if inside {
			line = strings.TrimPrefix(line, "# ")
		}
		out = append(out, line)
	}
	return strings.Join(out, "")
}
