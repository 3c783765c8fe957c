package config

import (
	"os"
	"path/filepath"
	"testing"
)

// TestProviders loads two providers of which one has people of its own: the path of
// their token is taken from the folder of the file, and a provider is called by its
// id where it has no name.
func TestProviders(t *testing.T) {
	dir := t.TempDir()
	const token = "sixteen and more"
	file := filepath.Join(dir, "c.yaml")
	for name, text := range map[string]string{
		"fjord-token": token + "\n",
		"c.yaml": `advertise: ["c.example.net:7950"]
regions: [{id: eu-north}]
providers:
  - {id: fjord, name: Fjordmail, operators: {file: fjord-token}}
  - {id: berg}
services:
  - {id: imap, provider: fjord}
  - {id: webmail, provider: berg}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	tokens, faults := c.ProviderTokens()
	if len(faults) > 0 || len(tokens) != 1 || tokens["fjord"] != token {
		t.Errorf("got the tokens %v, %v", tokens, faults)
	}
	if c.Providers[0].Name != "Fjordmail" || c.Providers[1].Name != "berg" {
		t.Errorf("got %+v", c.Providers)
	}
}

// TestProviderNeedsNoList: without a list a service may name anybody.
func TestProviderNeedsNoList(t *testing.T) {
	const file = `advertise: ["c.example.net:7950"]
regions: [{id: eu-north}]
services: [{id: imap, provider: Somebody}]
`
	if _, err := Parse("c.yaml", []byte(file)); err != nil {
		t.Error(err)
	}
}
