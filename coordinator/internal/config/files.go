package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"varde/checks"
	"varde/proto/document"
)

// readFiles reads the certificates that checks name into them, and makes sure
// that every password can be read.
func (c *Config) readFiles() []*checks.FieldError {
	var faults []*checks.FieldError
	for i := range c.Checks {
		at := fmt.Sprintf("checks[%d].", i)
		if l := c.Checks[i].Login; l != nil && l.Password.File != "" {
			if _, err := readSecret(l.Password.File); err != nil {
				faults = append(faults, unreadable(at+"login.password.file", l.Password.File, err,
					"a file with the password as its only line"))
			}
		}
		if ca := c.Checks[i].CA; ca != nil && ca.File != "" {
			var err error
			if ca.PEM, err = readCA(ca.File); err != nil {
				faults = append(faults, unreadable(at+"ca.file", ca.File, err, "a file of PEM certificates"))
			}
		}
	}
	return faults
}

func unreadable(key, file string, err error, want string) *checks.FieldError {
	return &checks.FieldError{Field: key, Problem: fmt.Sprintf("got %s (%s), expected %s", quote(file), document.Cause(err), want)}
}

// ReadSecret returns the password that stands in the file at path: its first
// and only line, without the line's end. The error never holds what it read.
func ReadSecret(path string) (string, error) {
	s, err := readSecret(path)
	if err != nil {
		return "", fmt.Errorf("read secret %s: %w", path, err)
	}
	return s, nil
}

func readSecret(path string) (string, error) {
	b, err := document.ReadFile(path, MaxSecret)
	if err != nil {
		return "", err
	}
	s := strings.TrimRight(string(b), "\r\n")
	if s == "" || strings.ContainsAny(s, "\r\n\x00") {
		return "", errors.New("empty or more than one line")
	}
	return s, nil
}

func readCA(path string) ([]byte, error) {
	b, err := document.ReadFile(path, MaxCA)
	if err != nil {
		return nil, err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(b) {
		return nil, errors.New("no certificate in it")
	}
	return b, nil
}
