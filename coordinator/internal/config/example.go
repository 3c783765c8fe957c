package config

import (
	"cmp"
	_ "embed"
	"fmt"
	"strings"
)

//go:embed example.yaml
var example string

// Example is what the text of a new configuration is made of.
type Example struct {
	// Name is an id for the coordinator, Data its folder, and Host the name or
	// address by which probes reach it.
	Name, Data, Host string
	// Services and Checks are the text of these keys, with comments; none of
	// them if not given.
	Services, Checks string
}

// Text returns a commented configuration that loads as it stands: no control is
// active in it, nor any other service or check than those given, since nobody
// is contacted unasked. The error says which field cannot be written.
func (e Example) Text() (string, error) {
	host := e.Host
	if strings.Contains(host, ":") {
		host = "[" + strings.Trim(host, "[]") + "]"
	}
	const services, checks = "services: []\n", "checks: []\n"
	text := strings.NewReplacer(
		"{{.Name}}", e.Name, "{{.Data}}", fmt.Sprintf("%q", e.Data), "{{.Host}}", host,
		"\n"+services, "\n"+cmp.Or(e.Services, services), "\n"+checks, "\n"+cmp.Or(e.Checks, checks),
	).Replace(example)
	c, err := Parse("example", []byte(text))
	if err != nil {
		return "", fmt.Errorf("write example: %w", err)
	}
	if c.Name != e.Name || c.Data != e.Data {
		return "", fmt.Errorf("write example: name %q and data %q cannot be written in YAML", e.Name, e.Data)
	}
	return text, nil
}
