package report

import (
	"os"
	"path/filepath"
	"testing"

	"varde/coordinator/pagetest"
)

// TestBrowser opens a report from a disk, as those do to whom it was sent, and prints it.
func TestBrowser(t *testing.T) {
	browser := pagetest.Start(t)
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, written(t, aReport(), HTML), 0o600); err != nil {
		t.Fatal(err)
	}
	v := pagetest.View{Name: "report", URL: "file://" + path}
	browser.Look(t, v)
	browser.Print(t, v)
}
