package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"varde"
	"varde/checks"
	"varde/checks/catalog"
	"varde/probe/internal/waterfall"
)

// checkCommand asks services once. It needs no configuration and no coordinator.
type checkCommand struct {
	URLs         []string      `arg:"" name:"url" help:"What to ask: https://, imaps://, pop3s://, smtps:// or tls:// for TLS from the start; imap://, pop3:// or submission:// for STARTTLS; smtp://, http://, tcp:// or dns://; then the host."`
	User         string        `help:"Log in as this user, over IMAP, POP3 and SMTP." placeholder:"U"`
	PasswordFile string        `help:"The file with the user's password as its only line." placeholder:"F"`
	Mechanism    string        `help:"How to log in: login, plain, xoauth2 or oauthbearer; with the last two the file holds a bearer token." placeholder:"M"`
	Family       string        `help:"ipv4, ipv6 or both; by default each that the name has." placeholder:"ipv4|ipv6|both"`
	Timeout      time.Duration `help:"The longest that one attempt may take; each phase has 3 to 10s of it." default:"10s"`
	CA           string        `help:"A file of PEM certificates to trust instead of the system's." placeholder:"FILE"`
	JSON         bool          `help:"Print each observation as one line of JSON."`
	Watch        bool          `help:"Ask again and again, one line for each attempt, until interrupted."`
	Every        time.Duration `help:"With --watch, how often." default:"30s"`
	Count        int           `help:"With --watch, end after so many rounds." placeholder:"N"`

	printed int // blocks so far
}

// Help shows examples and the exit codes.
func (checkCommand) Help() string {
	return `Each address family is asked by itself, and each phase is timed.

Examples:

  varde-probe check imaps://mail.example.net
  varde-probe check https://example.net/ smtp://mx.example.net --family ipv4
  varde-probe check submission://mail.example.net \
      --user probe@example.net --password-file secret
  varde-probe check "dns://192.0.2.53/example.net?type=MX" tcp://192.0.2.7:443
  varde-probe check imaps://mail.example.net --watch --every 1m

Exit codes: 0 everything is up, 1 something is down, 2 something could not be told, or bad usage.`
}

// addressesFirst puts what can only be an address before every flag: the parser
// takes addresses in one row alone, and people write them anywhere.
func addressesFirst(args []string) []string {
	if len(args) == 0 || args[0] != "check" {
		return args
	}
	isAddress := func(a string) bool { return strings.Contains(a, "://") && !strings.HasPrefix(a, "-") }
	first, rest := []string{args[0]}, []string(nil)
	for _, a := range args[1:] {
		if isAddress(a) {
			first = append(first, a)
		} else {
			rest = append(rest, a)
		}
	}
	return append(first, rest...)
}

// query is one attempt to be made, and what it gave.
type query struct {
	url         string
	check       checks.Check
	optional    bool // dropped when the name or this machine lacks the family
	observation checks.Observation
	done        chan struct{}
}

// Run makes every attempt and prints them in the order in which they were
// asked for.
func (c *checkCommand) Run(ctx context.Context, p *process, logger *slog.Logger) error {
	queries, err := c.queries(p)
	if err != nil {
		return varde.Misuse(err)
	}
	for _, group := range queries {
		for _, q := range group {
			go q.attempt(ctx)
		}
	}
	if c.Watch {
		return c.watch(ctx, p, queries, logger)
	}
	worst := checks.Up
	for _, group := range queries {
		for _, q := range p.await(ctx, group, logger) {
			if err := c.print(p, q); err != nil {
				return unprinted(err)
			}
			worst = worse(worst, q.observation.Outcome)
		}
	}
	return told(worst)
}

// unprinted is a failure to print; the ordinary exit code would say that
// something is down.
func unprinted(err error) error { return varde.Misuse(fmt.Errorf("print: %w", err)) }

// told is the exit code that tells an outcome.
func told(worst checks.Outcome) error {
	switch worst {
	case checks.Down:
		return varde.Told(varde.ExitError)
	case checks.Unknown:
		return varde.Told(varde.ExitUsage)
	}
	return nil
}

// worse is the outcome that the exit code tells: what is down is down whatever
// else could not be told.
func worse(a, b checks.Outcome) checks.Outcome {
	switch {
	case a == checks.Down || b == checks.Down:
		return checks.Down
	case a == checks.Unknown || b == checks.Unknown:
		return checks.Unknown
	}
	return checks.Up
}

// queries are the attempts to be made, in one group for each URL.
func (c *checkCommand) queries(p *process) ([][]*query, error) {
	if !slices.Contains([]string{"", "ipv4", "ipv6", "both"}, c.Family) {
		return nil, fmt.Errorf("--family: %q, expected ipv4, ipv6 or both", c.Family)
	}
	env, ca, err := c.env(p)
	if err = errors.Join(err, c.validateWatch()); err != nil {
		return nil, err
	}
	groups := make([][]*query, 0, len(c.URLs))
	var errs []error
	used := false
	for _, raw := range c.URLs {
		target, err := c.target(raw, ca)
		used = used || target.Login != nil
		var check checks.Check
		if err == nil {
			check, err = catalog.New(target, env)
		}
		if err != nil {
			errs = append(errs, faults(raw, err)...)
			continue
		}
		groups = append(groups, c.group(raw, target, check))
	}
	if c.User != "" && !used && len(errs) == 0 {
		errs = append(errs, errors.New("--user: none of these URLs has a login, expected one of imap, pop3 or smtp"))
	}
	return groups, errors.Join(errs...)
}

// faults puts the address before each fault of it.
func faults(raw string, err error) []error {
	var all []error
	for line := range strings.Lines(err.Error()) {
		all = append(all, fmt.Errorf("%s: %s", raw, strings.TrimSuffix(line, "\n")))
	}
	return all
}

// env reads what stands in files.
func (c *checkCommand) env(p *process) (checks.Env, *checks.Authority, error) {
	env := checks.Env{Network: p.network}
	if (c.User == "") != (c.PasswordFile == "") {
		return env, nil, errors.New("--user and --password-file: one is missing, expected both or none")
	}
	if c.PasswordFile != "" {
		password, err := readFile(c.PasswordFile)
		if err != nil {
			return env, nil, fmt.Errorf("--password-file: %w", err)
		}
		password = bytes.TrimRight(password, "\r\n")
		env.Password = func(string) (string, error) { return string(password), nil }
	}
	if c.CA == "" {
		return env, nil, nil
	}
	pem, err := readFile(c.CA)
	if err != nil {
		return env, nil, fmt.Errorf("--ca: %w", err)
	}
	return env, &checks.Authority{File: c.CA, PEM: pem}, nil
}

// maxFile bounds the files that a command line names, in bytes. They may be
// pipes, for a password that stands in no file, and so never end.
const maxFile = 1 << 20

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s: more than %d bytes", path, maxFile)
	}
	return b, err
}

func (c *checkCommand) target(raw string, ca *checks.Authority) (checks.Target, error) {
	t, err := catalog.FromURL(raw)
	if err != nil {
		return t, err
	}
	t.Timeout, t.CA = c.Timeout, ca
	if c.User != "" && slices.Contains([]checks.Kind{checks.IMAP, checks.POP3, checks.SMTP}, t.Kind) {
		t.Login = &checks.Login{
			User: c.User, Password: checks.Secret{File: c.PasswordFile, Name: t.ID}, Mechanism: checks.Mechanism(c.Mechanism),
		}
	}
	if c.Timeout <= 0 {
		return t, &checks.FieldError{Field: "timeout", Problem: fmt.Sprintf("%s, expected up to %s", c.Timeout, checks.MaxTimeout)}
	}
	return t, catalog.Validate(t)
}

// group is one query for each family that is asked.
func (c *checkCommand) group(raw string, t checks.Target, check checks.Check) []*query {
	families := []checks.Family{checks.IPv4, checks.IPv6}
	switch c.Family {
	case "ipv4":
		families = families[:1]
	case "ipv6":
		families = families[1:]
	}
	var group []*query
	for _, f := range families {
		q := &query{url: raw, check: check, optional: c.Family == "", done: make(chan struct{})}
		q.observation = checks.Observation{Check: t.ID, Family: f, Trigger: checks.Manual, Every: t.Every}
		group = append(group, q)
	}
	return group
}

func (q *query) attempt(ctx context.Context) {
	defer close(q.done)
	q.observation.Started = time.Now().UTC()
	q.observation.Scheduled = q.observation.Started
	q.observation.Result = q.check.Attempt(ctx, q.observation.Family)
}

// await waits for one URL's attempts and leaves out those that only show that
// the name or this machine has one family and not the other.
func (p *process) await(ctx context.Context, group []*query, logger *slog.Logger) []*query {
	for _, q := range group {
		p.waiting(q)
		<-q.done
	}
	var kept []*query
	for _, q := range group {
		if why := p.missing(ctx, q); why != "" {
			logger.Debug("family left out", "url", q.url, "family", q.observation.Family, "reason", why)
			continue
		}
		kept = append(kept, q)
	}
	if len(kept) == 0 {
		return group // then this is what there is to tell
	}
	return kept
}

// missing says why an attempt says nothing of the service, or nothing.
func (p *process) missing(ctx context.Context, q *query) string {
	r := q.observation.Result
	switch {
	case !q.optional:
		return ""
	case r.FailedPhase == checks.Resolve && !p.hasAddress(ctx, q):
		return "the name has no such address"
	case r.Class == checks.Unreachable && !p.routed(ctx, r.Address):
		return "this machine has no such network"
	}
	return ""
}

// style is how the program draws on its stdout.
func (p *process) style() waterfall.Style {
	return waterfall.Style{Colour: p.terminal(p.stdout) && p.getenv("NO_COLOR") == ""}
}

// routed says whether this machine has a way to what was dialled.
func (p *process) routed(ctx context.Context, dialled string) bool {
	at, err := netip.ParseAddrPort(dialled)
	return err != nil || checks.Routed(ctx, p.network, at.Addr())
}

// hasAddress says whether the name has an address of the family, or could have
// one as far as we know.
func (p *process) hasAddress(ctx context.Context, q *query) bool {
	t, err := catalog.FromURL(q.url)
	if err != nil {
		return true
	}
	addr, known := catalog.Address(ctx, p.network, t, q.observation.Family)
	return addr.IsValid() || !known
}

// waiting tells a person at a terminal what the program waits for.
func (p *process) waiting(q *query) {
	if !p.terminal(p.stderr) {
		return
	}
	select {
	case <-q.done:
		return
	case <-time.After(300 * time.Millisecond): // sooner it would only flicker
	}
	_, _ = fmt.Fprintf(p.stderr, "waiting for %s over %s …", q.url, q.observation.Family)
	<-q.done
	_, _ = fmt.Fprint(p.stderr, "\r\x1b[K") // take the line back
}

func (c *checkCommand) print(p *process, q *query) error {
	if c.JSON {
		line, err := json.Marshal(q.observation)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "%s\n", line)
		return err
	}
	block := waterfall.Draw(waterfall.Attempt{
		URL: q.url, Family: q.observation.Family, At: q.observation.Started, Result: q.observation.Result,
	}, p.style())
	if c.printed++; c.printed > 1 {
		block = "\n" + block
	}
	_, err := fmt.Fprint(p.stdout, block)
	return err
}
