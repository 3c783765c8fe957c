package ops

import (
	"slices"
	"strings"
	"unicode"

	"varde/checks"
)

// codes are the words of a reason that are classes or phases.
func codes(reason string) []string {
	single := []checks.Class{checks.Busy, checks.Policy, checks.Unreachable, checks.Late, checks.Closed}
	words := strings.FieldsFunc(reason, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) })
	return slices.DeleteFunc(words, func(w string) bool {
		return !strings.Contains(w, "_") && !slices.Contains(single, checks.Class(w))
	})
}

// cause is what two reasons have in common that speak of the same thing: their
// classes and phases, or, where there are none, their words. How many probes
// saw it and after how long differs from check to check.
func cause(reason string) string {
	if c := codes(reason); len(c) > 0 {
		return strings.Join(c, " ")
	}
	words := strings.FieldsFunc(reason, func(r rune) bool { return !unicode.IsLetter(r) })
	for i, w := range words {
		words[i] = strings.TrimSuffix(w, "s") // of "1 probe" and "2 probes"
	}
	return strings.Join(words, " ")
}

// join makes one reason of two.
func join(a, b string) string {
	switch {
	case a == "" || cause(a) == cause(b):
		return b
	case b == "" || strings.Contains(a, b):
		return a
	}
	return a + "; " + b
}

// cannotTell says what keeps probes from telling, and the class of it; nothing
// where the reason names none. All of these are ours to mend.
func cannotTell(reason string) (words string, class checks.Class) {
	for _, code := range codes(reason) {
		switch class := checks.Class(code); class {
		case checks.AuthRejected:
			return "the login is refused", class
		case checks.Policy:
			return "the server does not want our probes", class
		case checks.OwnNetwork:
			return "the network of our own probes fails", class
		case checks.OwnLate:
			return "our own probes are too slow", class
		case checks.OwnError:
			return "our own probes fail", class
		}
	}
	return "", ""
}
