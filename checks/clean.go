package checks

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hiddenRun is the shortest piece of a secret that is hidden: a server may
// repeat a part of what it was sent, cut anywhere.
const hiddenRun = 6

// cleanMax is how much of a server's words is looked at, in bytes; what stands
// behind never reaches a Detail.
const cleanMax = 8 << 10

// mask stands in place of what was hidden.
const mask = "***"

// clean makes words fit for a Detail: printable, on one line, without
// secrets, at most DetailMax characters. Secrets go before the cut, so that
// none can be left at its edge, and again where the rest grew together over what
// cannot be printed. They are given in all their forms.
func clean(words string, forms []string) string {
	words = hide(words[:min(len(words), cleanMax)], forms)
	if plain := printable(words); plain != words {
		words = hide(plain, forms)
	}
	words = strings.TrimSpace(words)
	if utf8.RuneCountInString(words) > DetailMax {
		words = string([]rune(words)[:DetailMax-1]) + "…"
	}
	return words
}

// printable leaves out what cannot be printed, and makes a space of what parts
// words.
func printable(words string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		}
		return -1
	}, strings.ToValidUTF8(words, "?"))
}

// forms are the ways in which secrets can come back, in lower case: as they
// are, quoted (RFC 9051 quoted string, and as our own words quote), and in
// base64 (SASL).
func forms(secrets []string) []string {
	var all []string
	for _, secret := range secrets {
		escaped := strconv.Quote(secret)
		for _, form := range []string{
			secret, base64.StdEncoding.EncodeToString([]byte(secret)), escaped[1 : len(escaped)-1],
			strings.ReplaceAll(strings.ReplaceAll(secret, `\`, `\\`), `"`, `\"`),
		} {
			if form = lower(form); !slices.Contains(all, form) {
				all = append(all, form)
			}
		}
	}
	return all
}

// hide masks every run of words that also stands in a form of a secret, in any
// case. All forms are looked for before anything is masked, or what one of them
// leaves over of another would show.
func hide(words string, forms []string) string {
	if len(forms) == 0 {
		return words
	}
	in := lower(words)
	hidden := make([]bool, len(words))
	for _, form := range forms {
		mark(hidden, in, form)
	}
	if !slices.Contains(hidden, true) {
		return words
	}
	var out strings.Builder
	for i := 0; i < len(words); {
		_, size := utf8.DecodeRuneInString(words[i:])
		switch {
		case !slices.Contains(hidden[i:i+size], true):
			out.WriteString(words[i : i+size])
		case !strings.HasSuffix(out.String(), mask):
			out.WriteString(mask)
		}
		i += size
	}
	return out.String()
}

func mark(hidden []bool, in, secret string) {
	run := min(hiddenRun, len(secret))
	for i := range in {
		n := 0
		if run > 0 {
			n = common(in[i:], secret, run)
		}
		for j := i; j < i+n; j++ {
			hidden[j] = true
		}
	}
}

// common is the length of the longest start of s, at least run bytes, that
// stands somewhere in secret; 0 if none does.
func common(s, secret string, run int) int {
	if len(s) < run || !strings.Contains(secret, s[:run]) {
		return 0
	}
	n := run
	for n < len(s) && strings.Contains(secret, s[:n+1]) {
		n++
	}
	return n
}

// lower is s with ASCII letters in lower case, byte for byte as long as s.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
