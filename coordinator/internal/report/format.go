package report

import (
	"fmt"
	"slices"
	"strings"
)

// Format is a form in which a report is written.
type Format string

// The forms: a page that is whole by itself, one object, and a line for each service and
// region under one with names (RFC 4180).
const (
	HTML Format = "html"
	JSON Format = "json"
	CSV  Format = "csv"
)

// Formats are all of them.
func Formats() []Format { return []Format{HTML, JSON, CSV} }

// ParseFormat reads the name of a form.
func ParseFormat(text string) (Format, error) {
	if f := Format(text); slices.Contains(Formats(), f) {
		return f, nil
	}
	var names []string
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return "", fmt.Errorf("got format %.40q, expected one of %s", text, strings.Join(names, ", "))
}

// ContentType is what HTTP says of the form.
func (f Format) ContentType() string {
	switch f {
	case JSON:
		return "application/json"
	case CSV:
		return "text/csv; charset=utf-8"
	}
	return "text/html; charset=utf-8"
}

// Write is the report in a form.
func (r Report) Write(f Format) ([]byte, error) {
	switch f {
	case HTML:
		return r.html()
	case JSON:
		return r.json()
	case CSV:
		return r.csv()
	}
	_, err := ParseFormat(string(f))
	return nil, err
}
