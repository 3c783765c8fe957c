package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"varde"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/identity"
	"varde/proto/document"
)

type initCommand struct {
	configFlag
	Data string `help:"The folder of everything the coordinator keeps, ${default} if not given." default:"/var/lib/varde-coordinator" placeholder:"DIR"`
	Name string `help:"What the coordinator is called." default:"c1"`
	Host string `help:"The name or address by which probes reach this machine; its host name if not given." placeholder:"HOST"`
}

// Help shows an example and what follows.
func (initCommand) Help() string {
	return `Writes a commented configuration, makes the authority of the fleet and a token for operators. It overwrites nothing. No check is active in what it writes: nobody is contacted unasked.

Examples:

  varde-coordinator init --host coordinator.example.net
  varde-coordinator init --config ./coordinator.yaml --data ./data`
}

// Run writes everything or nothing, but the authority: that is kept, since
// another try finds it again.
func (c *initCommand) Run(p *process) (err error) {
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	text, err := config.Example{Name: c.Name, Data: data, Host: cmp.Or(c.Host, host)}.Text()
	if err != nil {
		return varde.Misuse(misnamed(err))
	}
	token := config.OperatorToken(data)
	if err := c.write(text, data, token); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, `%s  the configuration: add your services and checks to it
%s  the token by which operators log in
%s  the authority of the fleet and all other data

Next: varde-coordinator validate %s
      varde-coordinator run --config %s
      varde-coordinator probe add --config %s --name NAME --region REGION
`, c.Config, token, data, c.Config, c.Config, c.Config)
	return err
}

// write makes the folders, the authority and the files. A file that is there
// stays as it is.
func (c *initCommand) write(text, data, token string) error {
	for _, path := range []string{c.Config, token} {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s is there already, expected no such file: nothing was written", path)
		}
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(c.Config), 0o755); err != nil {
		return fmt.Errorf("make folder of configuration: %w", err)
	}
	if err := identity.Create(data); err != nil {
		return err
	}
	if err := create(token, rand.Text()+"\n", 0o600); err != nil {
		return fmt.Errorf("write operator token: %w", err)
	}
	if err := create(c.Config, text, 0o644); err != nil {
		return fmt.Errorf("write configuration: %w", errors.Join(err, os.Remove(token)))
	}
	return nil
}

// misnamed turns the faults of a configuration that nobody has seen into those
// of the flags that it was made of.
func misnamed(err error) error {
	p, ok := errors.AsType[*document.Problem](err)
	if !ok {
		return err
	}
	flag, known := map[string]string{"name": "--name", "data": "--data", "advertise[0]": "--host"}[p.Key]
	if !known {
		return err
	}
	return fmt.Errorf("init: %s: %s", flag, p.Text)
}

// create writes a new file whole or not at all, and never over another.
func create(path, text string, mode fs.FileMode) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
