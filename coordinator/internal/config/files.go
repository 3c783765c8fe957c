package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"varde/checks"
	"varde/proto/document"
)

// readFiles reads the certificates that checks name into them, and makes sure
// that every password can be read.
func (c *Config) readFiles() []*checks.FieldError {
	var faults []*checks.FieldError
	total := 0
	for i := range c.Checks {
		at := fmt.Sprintf("checks[%d].", i)
		if l := c.Checks[i].Login; l != nil && l.Password.File != "" {
			if _, err := readSecret(l.Password.File); err != nil {
				faults = append(faults, unreadable(at+"login.password.file", l.Password.File, err, onePassword))
			}
		}
		if ca := c.Checks[i].CA; ca != nil && ca.File != "" {
			var err error
			if ca.PEM, err = readCA(ca.File); err != nil {
				faults = append(faults, unreadable(at+"ca.file", ca.File, err, "a file of PEM certificates"))
				continue
			}
			if total += len(ca.PEM); total > maxCAs && total-len(ca.PEM) <= maxCAs {
				faults = append(faults, &checks.FieldError{Field: at + "ca.file", Problem: fmt.Sprintf(
					"got %s, with which the checks have %d bytes of certificates, expected at most %d in all", quote(ca.File), total, maxCAs)})
			}
		}
	}
	return faults
}

func unreadable(key, file string, err error, want string) *checks.FieldError {
	return &checks.FieldError{Field: key, Problem: fmt.Sprintf("got %s (%s), expected %s", quote(file), document.Cause(err), want)}
}

// onePassword is what a password file should be.
const onePassword = "a file with the password as its only line"

// ReadSecret returns the password that stands in the file at path: its first
// and only line, without the ends of lines. The error names the file and never
// holds what it read.
func ReadSecret(path string) (string, error) {
	s, err := readSecret(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w, expected %s", path, err, onePassword)
	}
	return s, nil
}

func readSecret(path string) (string, error) {
	b, err := document.ReadFile(path, maxSecret)
	if err != nil {
		return "", document.Cause(err)
	}
	s := strings.TrimRight(string(b), "\r\n")
	switch {
	case s == "":
		return "", errors.New("empty")
	case strings.ContainsAny(s, "\r\n"):
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
