package config

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"varde/checks"
)

// TestMirrors: what may be left out is filled in, and a token is a file of the
// configuration, beside it.
func TestMirrors(t *testing.T) {
	dir := t.TempDir()
	path, token := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "token")
	const text = `advertise: ["c.example.net:7950"]
regions: [{id: eu-north}]
mirrors:
  - {id: influx, url: "https://influx.example.net/sub", org: us, bucket: mail/week, token: {file: token}}
  - {id: victoria, url: "http://127.0.0.1:8428"}
`
	for name, content := range map[string]string{path: text, token: "user:password\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	first, second := c.Mirrors[0], c.Mirrors[1]
	if *first.Token != (checks.Secret{File: token}) || first.Org != "us" || first.Bucket != "mail/week" || !slices.Contains(c.Files(), token) {
		t.Errorf("got %+v with %+v, files %v", first, *first.Token, c.Files())
	}
	if second != (Mirror{ID: "victoria", URL: "http://127.0.0.1:8428", Bucket: "varde"}) {
		t.Errorf("got %+v", second)
	}
}
