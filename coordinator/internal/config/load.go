package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"varde/checks"
	"varde/proto/document"
)

// Limits of the files that a configuration names, in bytes.
const (
	// maxSecret: whoever names a wrong file by mistake does not send it to every
	// probe.
	maxSecret = 4 << 10
	maxCA     = 1 << 20
	// maxCAs is for the certificates of all checks, each of which carries its
	// own: a plan of 3 MB holds them and a configuration of 1 MB.
	maxCAs = 3 << 19
)

// Load reads the configuration at path and every file that it names. The error
// holds one *document.Problem for each fault, joined and in the order of the
// file.
func Load(path string) (Config, error) {
	var c Config
	d, err := document.Load(path, &c)
	if err != nil {
		return Config{}, err
	}
	if err := c.resolveBeside(path); err != nil {
		return Config{}, err
	}
	return finish(c, d, c.readFiles())
}

// LoadPolicy reads the configuration at path as that by which recordings are judged:
// no file that it names is looked for, and a check below its floor is a matter for
// [Config.Hasty]. The error is as that of Load.
func LoadPolicy(path string) (Config, error) {
	var c Config
	d, err := document.Load(path, &c)
	if err != nil {
		return Config{}, err
	}
	c = c.WithDefaults()
	v := &validator{recorded: true}
	if err := d.Err(notCaused(d.Unread(), v.all(c))...); err != nil {
		return Config{}, err
	}
	return c, nil
}

// DataFolder returns the data folder that the configuration at path names, or
// its default. Faults of other keys do not matter: a command must reach the
// running coordinator while its file is being edited.
func DataFolder(path string) (string, error) {
	var c Config
	d, err := document.Load(path, &c)
	if err != nil {
		return "", err
	}
	if err := d.ErrAt("data"); err != nil {
		return "", err
	}
	if err := c.resolveBeside(path); err != nil {
		return "", err
	}
	return c.WithDefaults().Data, nil
}

// Parse reads a configuration from bytes and opens no file: secrets and
// certificates are not looked for and relative paths stay as they are. The
// name stands in its errors.
func Parse(name string, data []byte) (Config, error) {
	var c Config
	d, err := document.Read(name, data, &c)
	if err != nil {
		return Config{}, err
	}
	return finish(c, d, nil)
}

func finish(c Config, d *document.Document, more []*checks.FieldError) (Config, error) {
	c = c.WithDefaults()
	found := append(c.faults(), more...)
	if err := d.Err(notCaused(d.Unread(), found)...); err != nil {
		return Config{}, err
	}
	return c, nil
}

// notCaused leaves out what only needed something that could not be read: the
// id that a reference names, or the consent that lifts a floor.
func notCaused(unread []string, found []*checks.FieldError) []*checks.FieldError {
	lost := map[string]bool{} // last words of faults that would only follow
	for _, path := range unread {
		list, rest, _ := strings.Cut(path, "[")
		_, key, _ := strings.Cut(rest, "].")
		switch {
		case list == "services" && key == "consent":
			lost["every"] = true
		case key == "" || key == "id":
			lost[list] = true
		}
	}
	return slices.DeleteFunc(found, func(f *checks.FieldError) bool {
		switch last := f.Field[strings.LastIndexByte(f.Field, '.')+1:]; {
		case last == "service" || strings.HasPrefix(last, "services["):
			return lost["services"]
		case strings.HasPrefix(last, "regions["):
			return lost["regions"] && strings.HasPrefix(f.Field, "checks")
		case last == "every":
			return lost["every"]
		}
		return false
	})
}

// resolveBeside makes every relative path of the configuration relative to the
// folder of the file that it was read from.
func (c *Config) resolveBeside(file string) error {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return fmt.Errorf("read configuration %s: %w", file, err)
	}
	c.resolve(dir)
	return nil
}
