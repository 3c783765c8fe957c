package bulletin_test

import (
	"os"
	"testing"

	"varde/coordinator/internal/bulletin"
)

// FuzzParseLexicon: a file of words is refused with its name, or it is whole.
func FuzzParseLexicon(f *testing.F) {
	for _, language := range bulletin.Languages() {
		data, err := os.ReadFile("words/" + language + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("tag: fr\nupdates: {opening: \"{{range .}}\"}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := bulletin.ParseLexicon("words.yaml", data)
		if (err == nil) != (l != nil) {
			t.Errorf("got %v and %v", l, err)
		}
		if err == nil && l.Tag() == "" {
			t.Error("got a lexicon of no language")
		}
	})
}
