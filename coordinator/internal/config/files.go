package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"varde/checks"
	"varde/proto/document"
)

// readFiles reads the certificates that checks name into them, and makes sure
// that every password can be read.
func (c *Config) readFiles() []*checks.FieldError {
	_, faults := c.ProviderTokens()
	faults = append(faults, slices.Concat(c.mirrorFaults(), c.lexiconFaults())...)
	total := 0
	for i := range c.Checks {
		at := fmt.Sprintf("checks[%d].", i)
		for field, s := range c.Checks[i].Secrets() {
			if s.File == "" {
				continue
			}
			if _, err := readSecret(field, s.File); err != nil {
				faults = append(faults, unreadable(at+field+".file", s.File, err, wanted(field)))
			}
		}
		for field, a := range c.Checks[i].Authorities() {
			if a.File == "" {
				continue
			}
			var err error
			if a.PEM, err = readCA(a.File); err != nil {
				faults = append(faults, unreadable(at+field+".file", a.File, err, "a file of PEM certificates"))
				continue
			}
			if total += len(a.PEM); total > maxCAs && total-len(a.PEM) <= maxCAs {
				faults = append(faults, &checks.FieldError{Field: at + field + ".file", Problem: fmt.Sprintf(
					"got %s, with which the checks have %d bytes of certificates, expected at most %d in all", quote(a.File), total, maxCAs)})
			}
		}
	}
	return faults
}

func unreadable(key, file string, err error, want string) *checks.FieldError {
	return &checks.FieldError{Field: key, Problem: fmt.Sprintf("got %s (%s), expected %s", quote(file), document.Cause(err), want)}
}

// wanted is what the file of a secret should be.
func wanted(field string) string {
	if field == clientKey {
		return "a file with a private key, PEM"
	}
	return "a file with the password as its only line"
}

// clientKey is the one secret that is no password.
const clientKey = "client.key"

// ReadSecret returns the secret of a check's field that stands in the file at
// path: the first and only line, without the ends of lines, or a private key.
// The error names the file and never holds what it read.
func ReadSecret(field, path string) (string, error) {
	s, err := readSecret(field, path)
	if err != nil {
		return "", fmt.Errorf("%s: %w, expected %s", path, err, wanted(field))
	}
	return s, nil
}

func readSecret(field, path string) (string, error) {
	b, err := document.ReadFile(path, maxSecret)
	if err != nil {
		return "", document.Cause(err)
	}
	s := strings.TrimRight(string(b), "\r\n")
	switch {
	case s == "":
		return "", errors.New("empty")
	case field == clientKey && !strings.Contains(s, "PRIVATE KEY-----"):
		return "", errors.New("no private key in it")
	case field != clientKey && strings.ContainsAny(s, "\r\n"):
		return "", errors.New("more than one line")
	case !utf8.ValidString(s) || strings.Contains(s, "\x00"):
		return "", errors.New("not UTF-8 text")
	}
	return s, nil
}

func readCA(path string) ([]byte, error) {
	b, err := document.ReadFile(path, maxCA)
	if err != nil {
		return nil, err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(b) {
		return nil, errors.New("no certificate in it")
	}
	return b, nil
}
