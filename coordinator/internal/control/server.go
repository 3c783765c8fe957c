package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Options are what a Server needs.
type Options struct {
	Roster    Roster
	Reporter  Reporter
	Incidents Incidents
	Evidence  Evidence
	Windows   Windows
	Backup    Backup
	Exporter  Exporter
	Rebuilder Rebuilder
	Reports   Reports
	// Logger gets one line for each change that a command made.
	Logger *slog.Logger
	// Wrap is put around the handler of all commands; nothing is if nil.
	Wrap func(http.Handler) http.Handler
}

// Server serves commands.
type Server struct {
	roster    Roster
	reporter  Reporter
	incidents Incidents
	evidence  Evidence
	windows   Windows
	backup    Backup
	exporter  Exporter
	rebuilder Rebuilder
	reports   Reports
	logger    *slog.Logger
	wrap      func(http.Handler) http.Handler
}

// New returns a Server. It opens nothing.
func New(o Options) (*Server, error) {
	if o.Roster == nil || o.Reporter == nil || o.Incidents == nil || o.Evidence == nil || o.Windows == nil || o.Backup == nil || o.Exporter == nil || o.Rebuilder == nil || o.Reports == nil || o.Logger == nil {
		return nil, errors.New("new control server: roster, reporter, incidents, evidence, windows, backup, exporter, rebuilder, reports and logger are required")
	}
	if o.Wrap == nil {
		o.Wrap = func(h http.Handler) http.Handler { return h }
	}
	return &Server{o.Roster, o.Reporter, o.Incidents, o.Evidence, o.Windows, o.Backup, o.Exporter, o.Rebuilder, o.Reports, o.Logger, o.Wrap}, nil
}

// ErrRunning says that another coordinator answers in the data folder.
var ErrRunning = errors.New("another coordinator runs with this data folder")

// Listen binds the control socket of a data folder, which must exist. A socket
// that nobody answers on is replaced; otherwise the error is ErrRunning.
func Listen(ctx context.Context, data string) (net.Listener, error) {
	path := Socket(data)
	// sockaddr_un holds 108 bytes with the final zero; bind says only "invalid argument".
	if len(path) > 107 {
		return nil, fmt.Errorf("listen on %s: got a path of %d bytes, expected at most 107: choose a shorter data folder", path, len(path))
	}
	var d net.Dialer
	if conn, err := d.DialContext(ctx, "unix", path); err == nil {
		_ = conn.Close() // it has told what it could
		return nil, fmt.Errorf("listen on %s: %w", path, ErrRunning)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("replace control socket: %w", err)
	}
	l, err := (&net.ListenConfig{Control: private}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	return l, nil
}

// private sets the mode before bind creates the file with it (unix(7), Linux),
// so that there is no moment in which others could connect.
func private(_, _ string, c syscall.RawConn) error {
	var chmod error
	if err := c.Control(func(fd uintptr) { chmod = syscall.Fchmod(int(fd), 0o600) }); err != nil {
		return err
	}
	return chmod
}

// Serve answers commands on l until ctx ends, lets those in flight finish for
// a few seconds, and closes l. It returns nil when ctx ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler: s.wrap(s.routes()), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: timeout, IdleTimeout: timeout, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve control socket: %w", err)
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := srv.Shutdown(bounded)
	if err != nil {
		err = errors.Join(fmt.Errorf("stop control socket: %w", err), srv.Close())
	}
	<-done //nolint:errcheck // the answer of Serve to Shutdown is always the same
	return err
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context) (Status, error) { return s.reporter.Status(ctx) })
	})
	mux.HandleFunc("GET /v1/probes", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context) ([]Probe, error) { return s.roster.Probes(ctx) })
	})
	mux.HandleFunc("POST /v1/probes", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context) (Invitation, error) {
			p, err := request[NewProbe](w, r)
			if err != nil {
				return Invitation{}, err
			}
			inv, err := s.roster.AddProbe(ctx, p)
			if err == nil {
				s.logger.Info("probe added", "probe", p.Name, "region", p.Region, "token_expires", inv.Expires)
			}
			return inv, err
		})
	})
	mux.HandleFunc("DELETE /v1/probes/{name}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context) (Removal, error) {
			name := r.PathValue("name")
			removal, err := s.roster.RemoveProbe(ctx, name)
			if err == nil {
				s.logger.Info("probe removed", "probe", name)
			}
			return removal, err
		})
	})
	s.incidentRoutes(mux)
	s.evidenceRoutes(mux)
	s.windowRoutes(mux)
	s.backupRoutes(mux)
	s.exportRoutes(mux)
	s.rebuildRoutes(mux)
	s.reportRoutes(mux)
	return mux
}

// failure is the body of an answer that is not 200.
type failure struct {
	Error string `json:"error"`
}

// answer runs one command and writes what it returned.
func answer[T any](w http.ResponseWriter, r *http.Request, run func(context.Context) (T, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	value, err := run(ctx)
	w.Header().Set("Content-Type", "application/json")
	var body any = value
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		body = failure{err.Error()}
	}
	// An error here means that the client has gone; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(body)
}

// request reads the one JSON value of a request, strictly.
func request[T any](w http.ResponseWriter, r *http.Request) (T, error) {
	var v T
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, fmt.Errorf("read request: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return v, errors.New("read request: got more than one value, expected one")
	}
	return v, nil
}
