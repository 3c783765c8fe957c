package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"varde/checks"
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
	return &checks.FieldError{Field: key, Problem: fmt.Sprintf("got %s (%s), expected %s", quote(file), cause(err), want)}
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
	b, err := readBounded(path, MaxSecret)
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
	b, err := readBounded(path, MaxCA)
	if err != nil {
		return nil, err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(b) {
		return nil, errors.New("no certificate in it")
	}
	return b, nil
}

// cause is the bare reason of a file error: its path is named beside it.
func cause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// readBounded reads a regular file of at most limit bytes. A pipe or a device
// could block or never end.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return b, err
}
