package config

import (
	"strings"

	"varde/proto/document"
)

// quote puts a value of the file into a message.
func quote(s string) string { return document.Quote(s) }

// quoteURL is quote without the part that could be a user and a password.
func quoteURL(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s = "…" + s[i:]
	}
	return quote(s)
}
