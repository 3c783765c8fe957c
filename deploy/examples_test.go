package deploy

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"varde/coordinator/server"
)

// TestExamplesLoad loads every configuration that is shipped below deploy. A
// file that it does not know how to load fails it: an example that nobody reads
// is wrong one day.
func TestExamplesLoad(t *testing.T) {
	loaded := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" && filepath.Ext(path) != ".yml" {
			return err
		}
		if d.Name() == "probe.yaml" || strings.HasPrefix(path, "scenarios/") || strings.HasPrefix(path, "grafana/") {
			return nil // a test of the probe, one that plays them, and one beside them load it
		}
		if !strings.HasPrefix(d.Name(), "coordinator") {
			t.Errorf("%s: no test loads it", path)
			return nil
		}
		c, err := server.Load(path)
		if err != nil {
			t.Error(err)
		}
		for _, w := range c.Warnings() {
			t.Errorf("%s: %s", path, w)
		}
		loaded++
		return nil
	})
	if err != nil || loaded == 0 {
		t.Errorf("loaded %d examples, %v, want at least one", loaded, err)
	}
}
