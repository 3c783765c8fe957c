package evidence

import (
	"os"
	"path/filepath"
	"testing"

	"varde/coordinator/pagetest"
)

// TestSummaryInABrowser opens the summary from a disk, as those do who unpack it.
func TestSummaryInABrowser(t *testing.T) {
	browser := pagetest.Start(t)
	_, files := unzipped(t, written(t, aCase()))
	path := filepath.Join(t.TempDir(), summaryName)
	if err := os.WriteFile(path, []byte(files[summaryName]), 0o600); err != nil {
		t.Fatal(err)
	}
	browser.Look(t, pagetest.View{Name: "evidence", URL: "file://" + path})
}
