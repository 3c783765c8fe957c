package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"varde/coordinator/pagetest"
)

// TestPages opens the pages of a fleet with a broken region in a browser, in both
// colour schemes, and reads what they say first. With VARDE_SCREENSHOTS=DIR the
// pictures are kept; the README's is one of them.
func TestPages(t *testing.T) {
	b := pagetest.Start(t)
	r := start(t)
	r.down(t)
	for _, page := range []struct{ name, url, says string }{
		{"live-public", r.public + "/", "IMAP cannot be reached from Oceania."},
		{"live-overview", r.ops + "/", "Trouble in Oceania."},
		{"live-check", r.ops + "/check/imap", "down in Oceania"},
	} {
		eventually(t, r.out, page.name+" says "+page.says, func() bool { return strings.Contains(read(t, page.url), page.says) })
		b.Look(t, pagetest.View{Name: page.name, URL: page.url})
	}
}

func read(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return string(body)
}
