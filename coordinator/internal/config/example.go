package config

import (
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
}

// Text returns a commented configuration that loads as it stands: no control,
// service or check is active in it, since nobody is contacted unasked. The
// error says which field cannot be written.
func (e Example) Text() (string, error) {
	host := e.Host
	if strings.Contains(host, ":") {
		host = "[" + strings.Trim(host, "[]") + "]"
	}
	text := strings.NewReplacer("{{.Name}}", e.Name, "{{.Data}}", fmt.Sprintf("%q", e.Data), "{{.Host}}", host).Replace(example)
	c, err := Parse("example", []byte(text))
	if err != nil {
		return "", fmt.Errorf("write example: %w", err)
	}
	if c.Name != e.Name || c.Data != e.Data {
		return "", fmt.Errorf("write example: name %q and data %q cannot be written in YAML", e.Name, e.Data)
	}
	return text, nil
}
