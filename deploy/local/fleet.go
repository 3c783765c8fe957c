package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"varde"
	"varde/checks"
	"varde/checks/catalog"
	"varde/coordinator/server"
	"varde/deploy/local/internal/provider"
	"varde/probe/agent"
	"varde/proto/wire"
)

// probesPerRegion is the least that makes a quorum.
const probesPerRegion = 2

// fleet is everything that runs on this machine.
type fleet struct {
	opts    options
	dir     string
	out     io.Writer
	log     *slog.Logger
	began   time.Time
	targets []watched
	server  *server.Server
	detours []*provider.Detour
	// token is what operators log in with; empty where nobody asks for it.
	token string
	// first is the time from began to the first observation, in nanoseconds.
	first atomic.Int64
}

// watched is one check of the fleet, with the name that people read.
type watched struct {
	checks.Target
	Name string
}

// run starts a whole fleet, ends it when ctx does, and prints how it was.
func run(ctx context.Context, o options, heal <-chan os.Signal, out io.Writer) (err error) {
	f := &fleet{opts: o, out: out, began: time.Now()}
	remove, err := f.openState()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	logFile, err := os.OpenFile(filepath.Join(f.dir, "fleet.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	f.log = slog.New(slog.NewTextHandler(logFile, nil))
	if o.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.For)
		defer cancel()
	}
	end, err := f.play(ctx, heal)
	if err != nil {
		return err
	}
	if end.Journaled, err = f.journaled(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\n%s", end)
	return err
}

// openState makes the folder of everything, and returns what removes it if it
// is a temporary one.
func (f *fleet) openState() (remove func() error, err error) {
	if f.opts.State != "" {
		f.dir, err = filepath.Abs(f.opts.State)
		return func() error { return nil }, errors.Join(err, os.MkdirAll(f.dir, 0o700))
	}
	f.dir, err = os.MkdirTemp("", "varde-local-")
	return func() error { return os.RemoveAll(f.dir) }, err
}

// play runs the fleet. Provider and coordinator outlive the probes, so that
// these can hand over what they saw last.
func (f *fleet) play(ctx context.Context, heal <-chan os.Signal) (end summary, err error) {
	late, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var background errgroup.Group
	defer func() { err = errors.Join(err, background.Wait()) }()
	defer stop() // before the wait
	if err := f.startProvider(late, &background); err != nil {
		return end, err
	}
	if err := f.startCoordinator(late, &background); err != nil {
		return end, err
	}
	if err := f.logIn(late); err != nil {
		return end, err
	}
	agents, err := f.enrol(ctx, late, &background)
	if ctx.Err() != nil {
		return f.summary(late) // ended before it began; that is no fault
	}
	if err != nil {
		return end, err
	}
	if _, err := fmt.Fprintln(f.out, f.welcome()); err != nil {
		return end, err
	}
	probes, ctx := errgroup.WithContext(ctx)
	for _, a := range agents {
		probes.Go(func() error { return a.Run(ctx) })
	}
	probes.Go(func() error { return f.watch(ctx, heal) })
	if err := probes.Wait(); err != nil {
		return end, err
	}
	return f.summary(late)
}

// startProvider starts the mail provider, unless there are URLs to watch.
func (f *fleet) startProvider(ctx context.Context, g *errgroup.Group) error {
	for _, t := range f.opts.targets {
		f.targets = append(f.targets, watched{t, t.ID})
	}
	if len(f.targets) > 0 {
		return nil
	}
	p, err := provider.New(provider.Options{Logger: f.log.With("component", "provider")})
	if err != nil {
		return err
	}
	g.Go(func() error { return p.Run(ctx) })
	if err := f.writeSecrets(p); err != nil {
		return err
	}
	for _, s := range p.Services() {
		t := checks.Target{
			ID: s.ID, Service: s.ID, Kind: s.Kind, URL: s.URL, Every: every, Timeout: every,
			CA: &checks.Authority{File: caFile},
		}
		if s.Login {
			t.Login = &checks.Login{User: provider.User, Password: checks.Secret{File: passwordFile}}
		}
		f.targets = append(f.targets, watched{t, s.Name})
	}
	return nil
}

// The files of the provider, beside the configuration that names them.
const (
	caFile       = "ca.pem"
	passwordFile = "password"
)

func (f *fleet) writeSecrets(p *provider.Provider) error {
	return errors.Join(
		os.WriteFile(filepath.Join(f.dir, caFile), p.CA(), 0o600),
		os.WriteFile(filepath.Join(f.dir, passwordFile), []byte(p.Password()), 0o600))
}

// startCoordinator starts the coordinator as an operator would, from a file.
func (f *fleet) startCoordinator(ctx context.Context, g *errgroup.Group) error {
	path, err := f.writeConfig()
	if err != nil {
		return err
	}
	c, err := server.Load(path)
	if err != nil {
		return err
	}
	f.server, err = server.New(server.Options{
		Config: c, ConfigPath: path, Logger: f.log.With("program", "coordinator"), Version: varde.Version(), Socket: true,
	})
	if err != nil {
		return err
	}
	g.Go(func() error { return f.server.Run(ctx) })
	return nil
}

// enrol makes the probes join with tokens, all at once, and returns them ready
// to run. A probe of a folder that was kept has joined already.
func (f *fleet) enrol(ctx, late context.Context, background *errgroup.Group) ([]*agent.Agent, error) {
	var mu sync.Mutex
	var agents []*agent.Agent
	g, ctx := errgroup.WithContext(ctx)
	for _, r := range regions() {
		network, err := f.network(late, r.ID, background)
		if err != nil {
			return nil, err
		}
		for n := range probesPerRegion {
			g.Go(func() error {
				a, err := f.enrolOne(ctx, fmt.Sprintf("%s-%d", r.ID, n+1), r.ID, network)
				mu.Lock()
				defer mu.Unlock()
				agents = append(agents, a)
				return err
			})
		}
	}
	return agents, g.Wait()
}

func (f *fleet) enrolOne(ctx context.Context, name, region string, network agent.Network) (*agent.Agent, error) {
	state := filepath.Join(f.dir, name)
	if !agent.HasJoined(state) {
		token, err := f.server.AddProbe(ctx, server.NewProbe{Name: name, Region: region, Site: "local"})
		if err != nil {
			return nil, err
		}
		if _, err := agent.Join(ctx, agent.JoinOptions{State: state, Token: token}); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return agent.New(agent.Options{
		State: state, MeshBind: "127.0.0.1:0", MeshAdvertise: "127.0.0.1", PeerBind: "127.0.0.1:0", Network: network,
		Logger: f.log.With("program", name), Version: varde.Version(), Socket: true,
	})
}

// network is what the probes of a region look through: the machine's own, or a
// detour where a service shall be silent for them.
func (f *fleet) network(ctx context.Context, region string, g *errgroup.Group) (agent.Network, error) {
	if region != f.opts.breakRegion {
		return nil, nil
	}
	silence, err := provider.NewSilence(nil)
	if err != nil {
		return nil, err
	}
	g.Go(func() error { return silence.Run(ctx) })
	for _, t := range f.targets {
		if t.Service != f.opts.breakService {
			continue
		}
		service, err := catalog.Endpoint(t.Target)
		if err != nil {
			return nil, err
		}
		d := provider.NewDetour(&checks.System{}, service, silence.Address())
		d.Break()
		f.detours = append(f.detours, d)
		return agent.Through(d), nil
	}
	return nil, nil
}

// journaled counts the observations in the journal after everything has ended.
func (f *fleet) journaled() (n uint64, err error) {
	err = server.ReadJournal(context.Background(), filepath.Join(f.dir, "coordinator"), func(b wire.Batch) error {
		for _, r := range b.Records {
			if r.IsObservation() {
				n++
			}
		}
		return nil
	})
	return n, err
}
