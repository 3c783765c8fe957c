package mailpolicy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The modes of a policy (RFC 8461 section 5).
const (
	modeEnforce = "enforce"
	modeTesting = "testing"
	modeNone    = "none"
)

const (
	version = "STSv1"
	// maxAgeMax is the longest life of a policy, in seconds (RFC 8461 section
	// 3.2).
	maxAgeMax = 31557600
	// idMax is the longest id of a record, in bytes (RFC 8461 section 3.1).
	idMax = 32
)

// policy is what a domain demands of its mail exchangers.
type policy struct {
	mode     string
	patterns []string
}

// readPolicy reads a policy (RFC 8461 section 3.2): of a field that stands twice
// the first counts, and what is not known is passed over.
func readPolicy(text string) (policy, error) {
	fields := map[string]string{}
	var p policy
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		key, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		switch _, again := fields[key]; {
		case line == "":
		case !ok:
			return policy{}, fmt.Errorf("the line %.64q, expected key: value", line)
		case key == "mx" && !validPattern(value):
			return policy{}, fmt.Errorf("mx: %.64q, expected a name, or *. and a name", value)
		case key == "mx":
			p.patterns = append(p.patterns, canonical(value))
		case !again:
			fields[key] = value
		}
	}
	p.mode = fields["mode"]
	return p, p.validate(fields)
}

func (p policy) validate(fields map[string]string) error {
	if got := fields["version"]; got != version {
		return fmt.Errorf("version: %.32q, expected %s", got, version)
	}
	if !slices.Contains([]string{modeEnforce, modeTesting, modeNone}, p.mode) {
		return fmt.Errorf("mode: %.32q, expected %s, %s or %s", p.mode, modeEnforce, modeTesting, modeNone)
	}
	if n, err := strconv.ParseUint(fields["max_age"], 10, 32); err != nil || n > maxAgeMax {
		return fmt.Errorf("max_age: %.32q, expected seconds up to %d", fields["max_age"], maxAgeMax)
	}
	if len(p.patterns) == 0 && p.mode != modeNone {
		return errors.New("no mx, expected at least one")
	}
	return nil
}

// demands says whether senders have anything to go by.
func (p policy) demands() bool { return p.mode == modeEnforce || p.mode == modeTesting }

// allows says whether a host fits a pattern; an asterisk stands for exactly one
// label (RFC 8461 section 4.1).
func (p policy) allows(host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	return slices.ContainsFunc(p.patterns, func(pattern string) bool {
		below, wild := strings.CutPrefix(pattern, "*.")
		return pattern == host || wild && below == parent
	})
}

func validPattern(s string) bool {
	s = strings.TrimPrefix(canonical(s), "*.")
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.ContainsFunc(label, func(r rune) bool { return !alphanumeric(r) && r != '-' && r != '_' }) {
			return false
		}
	}
	return true
}

func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// announced says whether one of the texts at _mta-sts announces a policy (RFC
// 8461 section 3.1). The error says why senders make nothing of it.
func announced(texts []string) (bool, error) {
	var records []string
	for _, t := range texts {
		if rest, ok := strings.CutPrefix(t, "v="+version); ok && (rest == "" || strings.ContainsRune(" \t;", rune(rest[0]))) {
			records = append(records, rest)
		}
	}
	switch len(records) {
	case 0:
		return false, nil
	case 1:
		return true, errRecord(records[0])
	}
	return true, fmt.Errorf("%d records of v=%s, expected one", len(records), version)
}

// errRecord looks at the fields behind the version.
func errRecord(fields string) error {
	ids := 0
	for i, field := range strings.Split(fields, ";") {
		field = strings.Trim(field, " \t")
		key, value, ok := strings.Cut(field, "=")
		switch {
		case field == "":
		case i == 0 || !ok:
			return fmt.Errorf("the field %.64q, expected v=%s; id=ID;", field, version)
		case key == "id" && (value == "" || len(value) > idMax || strings.ContainsFunc(value, func(r rune) bool { return !alphanumeric(r) })):
			return fmt.Errorf("id=%.64q, expected 1 to %d letters and digits", value, idMax)
		case key == "id":
			ids++
		}
	}
	if ids != 1 {
		return fmt.Errorf("%d ids, expected one: v=%s; id=ID;", ids, version)
	}
	return nil
}
