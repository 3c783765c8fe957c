package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"varde"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/discovery"
	"varde/coordinator/internal/identity"
	"varde/proto/document"
)

type initCommand struct {
	configFlag
	Domain string `help:"The domain whose services are to be watched: what it offers is looked for, asked once, and written as checks." placeholder:"DOMAIN"`
	Data   string `help:"The folder of everything the coordinator keeps, ${default} if not given." default:"/var/lib/varde-coordinator" placeholder:"DIR"`
	Name   string `help:"What the coordinator is called." default:"c1"`
	Host   string `help:"The name or address by which probes reach this machine; its host name if not given." placeholder:"HOST"`
}

// Help shows an example and what follows.
func (initCommand) Help() string {
	return `Writes a commented configuration, makes the authority of the fleet and a token for operators. It overwrites nothing.

Without --domain no check is active in what it writes: nobody is contacted unasked. With it, the services of the domain are looked for in its SRV and MX records, its autoconfig file and at usual names, and each is asked once from here, without a login, within a minute. What is up becomes a check at the interval for which nobody need have agreed; what is not is written as a comment with its reason.

Examples:

  varde-coordinator init --host coordinator.example.net
  varde-coordinator init --domain example.net --host coordinator.example.net
  varde-coordinator init --config ./coordinator.yaml --data ./data`
}

// Run writes everything or nothing, but the authority: that is kept, since
// another try finds it again.
func (c *initCommand) Run(ctx context.Context, p *process) error {
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	example := config.Example{Name: c.Name, Data: data, Host: cmp.Or(c.Host, host)}
	text, err := example.Text()
	if err != nil {
		return varde.Misuse(misnamed(err))
	}
	token := config.OperatorToken(data)
	if err := absent(c.Config, token); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	todo := "add your services and checks to it"
	if c.Domain != "" {
		if text, err = c.found(ctx, p, example); err != nil {
			return err
		}
		todo = "read what it says of what was found"
	}
	if err := c.write(text, data, token); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, `%s  the configuration: %s
%s  the token by which operators log in
%s  the authority of the fleet and all other data

Next: varde-coordinator validate %s
      varde-coordinator run --config %s
      varde-coordinator probe add --config %s --name NAME --region REGION
`, c.Config, todo, token, data, c.Config, c.Config, c.Config)
	return err
}

// found is the text of a configuration with what the domain offers.
func (c *initCommand) found(ctx context.Context, p *process, e config.Example) (string, error) {
	domain, err := discovery.ParseDomain(c.Domain)
	if err != nil {
		return "", varde.Misuse(fmt.Errorf("init: --domain: %w", err))
	}
	r, err := p.search(ctx, domain)
	if err != nil {
		return "", err
	}
	e.Services, e.Checks = r.SectionServices(), r.SectionChecks()
	text, err := e.Text()
	if err != nil {
		return "", fmt.Errorf("init: %w", err)
	}
	return text, p.tell(r)
}

// absent refuses to go on where a file would be overwritten.
func absent(files ...string) error {
	for _, path := range files {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s is there already, expected no such file: nothing was written", path)
		}
	}
	return nil
}

// write makes the folders, the authority and the files.
func (c *initCommand) write(text, data, token string) error {
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
