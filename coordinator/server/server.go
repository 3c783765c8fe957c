// Package server is one coordinator from its start to its end: it wires the
// rooms of the coordinator together and runs them.
//
// The journal is opened first and closed last. Between the two, readers,
// listeners and the maker of plans run side by side; when one of them fails,
// all of them stop and Run says why. What a probe was told is on disk stays
// there whatever happens here.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"varde/coordinator/internal/bulletin"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/evidence"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/identity"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/ingest"
	"varde/coordinator/internal/journal"
	"varde/coordinator/internal/meter"
	"varde/coordinator/internal/mirror"
	"varde/coordinator/internal/ops"
	"varde/coordinator/internal/page"
	"varde/coordinator/internal/plan"
	"varde/coordinator/internal/register"
	"varde/coordinator/internal/report/archive"
	"varde/coordinator/internal/statuspage"
)

// Options configures a coordinator.
type Options struct {
	// Config is what Load returned. Required.
	Config config.Config
	// Logger is required.
	Logger *slog.Logger
	// ConfigPath is where Config was read from, shown to operators.
	ConfigPath string
	// Version of the program, shown to operators.
	Version string
	// Listen opens the three listeners; net.Listen if nil.
	Listen func(network, address string) (net.Listener, error)
	// Socket serves the commands on a unix socket in the data folder.
	Socket bool
	// NoSync leaves out fsync, for simulated days only.
	NoSync bool
	// CertificateLife is how long a certificate is good, 30 days if zero.
	CertificateLife time.Duration
}

// Load reads a coordinator's configuration. The error holds every fault of the
// file, one a line, with line and column.
func Load(path string) (config.Config, error) { return config.Load(path) }

// Server is one coordinator.
type Server struct {
	opts      Options
	log       *slog.Logger
	journal   *journal.Journal
	authority *identity.Authority
	plans     *plan.Maker
	history   *history.Store
	told      *history.Told
	rollup    *history.Rollup
	final     *history.Final
	incidents *register.Incidents
	windows   *register.Windows
	bulletins *register.Bulletins
	signs     *page.Memo[string, []incident.Sign]
	archive   *journal.Archive
	keeper    *evidence.Keeper
	mirrors   *mirror.Mirrors
	reports   *archive.Archive
	reporting *archive.Keeper
	ingest    *ingest.Ingest
	metrics   *prometheus.Registry
	timings   timings
	meter     *meter.Meter
	reckoning *reckoning
	// site is made anew with every configuration.
	site      atomic.Pointer[statuspage.Site]
	ops       *ops.Server
	listeners listeners
	changes   changes
	// started is when this process began, began when this coordinator was made.
	started, began time.Time
	// policies are what each page tells, and when.
	policies atomic.Pointer[[]bulletin.Policy]
	// providers are those whose people have a token of their own.
	providers atomic.Pointer[[]ops.Provider]
	// fleet is what the history needs to know of the configuration and roster.
	fleet atomic.Pointer[history.Config]
	// world is the same for the rules of incidents.
	world atomic.Pointer[incident.World]
	// enacting is held while a plan is made of a configuration and until the
	// configuration is in force.
	enacting sync.Mutex
	// copying is held while a backup is written.
	copying sync.Mutex

	mu     sync.Mutex // protects all following fields
	config config.Config
	loaded time.Time
	// unloaded is why the configuration that was read last is not in force.
	unloaded error
}

// openTimeout bounds opening the data folder. A journal of seven days of a
// large fleet is read in seconds.
const openTimeout = 2 * time.Minute

// New opens the data folder and the listeners, and makes what is missing. Run
// or Close must follow.
func New(opts Options) (*Server, error) {
	if opts.Logger == nil || opts.Config.Data == "" {
		return nil, errors.New("server: Config and Logger are required")
	}
	if opts.Listen == nil {
		opts.Listen = net.Listen
	}
	s := &Server{
		opts: opts, config: opts.Config, log: opts.Logger, metrics: prometheus.NewRegistry(), timings: newTimings(),
		started: time.Now().UTC(), loaded: time.Now().UTC(), signs: page.NewMemo[string, []incident.Sign](signsFor),
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	for _, step := range []func(context.Context) error{s.openJournal, s.openIdentity, s.openWindows, s.openHistory, s.openIncidents, s.openBulletins, s.openEvidence, s.openMirrors, s.openReports, s.build, s.listen} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func (s *Server) openJournal(ctx context.Context) (err error) {
	c := s.opts.Config
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	s.journal, err = journal.Open(ctx, journal.Options{
		Dir: filepath.Join(c.Data, "journal"), MaxAge: c.Retention.Journal, MaxBytes: c.Retention.JournalMax,
		NoSync: s.opts.NoSync, Logger: s.log.With("component", "journal"),
	})
	return err
}

func (s *Server) openIdentity(ctx context.Context) error {
	bucket, err := s.journal.Bucket(ctx, "roster")
	if err != nil {
		return fmt.Errorf("open roster: %w", err)
	}
	c := s.opts.Config
	s.authority, err = identity.Open(ctx, identity.Options{
		Dir: c.Data, Store: bucketStore{bucket, identity.ErrNotFound, identity.ErrConflict}, Coordinators: c.Advertise,
		Life: s.opts.CertificateLife, Logger: s.log.With("component", "identity"),
	})
	if err != nil {
		return err
	}
	s.plans, err = plan.Open(plan.Options{
		Dir: c.Data, Key: s.authority.PlanSigner(), Logger: s.log.With("component", "plan"),
	})
	return err
}

// build makes the parts that need one another.
func (s *Server) build(context.Context) (err error) {
	s.ingest, err = ingest.New(ingest.Options{
		Journal: s.journal, Authority: authority{s.authority}, Plans: s.plans, TLS: s.authority.ServerTLS(),
		Metrics: s.metrics, Logger: s.log.With("component", "ingest"),
	})
	if err != nil {
		return err
	}
	if err := s.newMeter(); err != nil {
		return err
	}
	if err := s.makePlan(s.opts.Config); err != nil {
		return err
	}
	s.registerMetrics()
	return s.buildPages()
}

// Run serves until ctx ends and returns after the last goroutine has. A server
// runs once.
func (s *Server) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.Close()) }()
	s.log.Info("coordinator starts", "name", cmp.Or(s.opts.Config.Name, "coordinator"),
		"grpc", s.listeners.grpc.Addr(), "public", s.listeners.public.Addr(), "ops", s.listeners.ops.Addr())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.ingest.Serve(ctx, s.listeners.grpc) })
	g.Go(func() error { return s.told.Run(ctx) })
	g.Go(func() error { return s.rollup.Run(ctx) })
	g.Go(func() error { return s.final.Run(ctx) })
	g.Go(func() error { return s.incidents.Run(ctx) })
	g.Go(func() error { return s.bulletins.Run(ctx) })
	g.Go(func() error { return s.keeper.Run(ctx) })
	g.Go(func() error { return s.mirrors.Run(ctx) })
	g.Go(func() error { return s.reporting.Run(ctx) })
	g.Go(func() error { return s.authority.Run(ctx) })
	g.Go(func() error { return s.keepPlan(ctx) })
	g.Go(func() error { return s.watchProbes(ctx) })
	g.Go(func() error { return s.meter.Run(ctx) })
	g.Go(func() error { return s.reckon(ctx) })
	g.Go(func() error {
		return serveHTTP(ctx, s.listeners.public, s.timings.of("public")(http.HandlerFunc(s.public)))
	})
	g.Go(func() error { return serveHTTP(ctx, s.listeners.ops, s.timings.of("ops")(s.ops)) })
	g.Go(func() error { return s.serveControl(ctx) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Close closes what New opened. Run does it by itself.
func (s *Server) Close() error {
	errs := []error{s.listeners.close()}
	if s.history != nil {
		errs = append(errs, s.history.Close())
	}
	if s.journal != nil {
		errs = append(errs, s.journal.Close())
	}
	return errors.Join(errs...)
}
