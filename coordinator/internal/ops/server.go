package ops

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"varde/coordinator/internal/page"
)

// Options of a Server.
type Options struct {
	// Live, History, Observations, Ledger and Servers are where the facts come from. Required.
	Live         Live
	History      History
	Observations Observations
	Ledger       Ledger
	Servers      Servers
	// Incidents is where incidents come from; there are none if nil.
	Incidents Incidents
	// Reports are those that were written and are kept; there are none if nil.
	Reports Reports
	// Logger takes what could not be read. Required.
	Logger *slog.Logger
	// Listen is the address that the handler is served on, "127.0.0.1:8081".
	// Unless it is on loopback a token is demanded. Required.
	Listen string
	// Token is what operators must show, at least MinToken characters. Required
	// unless Listen is on loopback, where it is not asked for.
	Token string
	// Providers returns those whose people have tokens of their own and see what is
	// theirs; it is asked for every request. None if nil.
	Providers func() []Provider
	// Hosts returns further names, without ports, under which operators ask now;
	// addresses and "localhost" always do. None if nil.
	Hosts func() []string
	// Metrics answers /metrics; not found if nil.
	Metrics http.Handler
	// Ready says why the coordinator is not ready for work; nil if it is. It is
	// called by /readyz. Always ready if not given.
	Ready func(ctx context.Context) error
	// Refresh is how long a drawn overview is served, 3 s if not given.
	Refresh time.Duration
}

// Server serves the operators. It may be used from many goroutines and starts
// none; streams end when the context of their request does, so whoever serves
// it gives its connections a context that ends (http.Server.BaseContext).
type Server struct {
	live         Live
	history      History
	observations Observations
	ledger       Ledger
	servers      Servers
	incidents    Incidents
	reports      Reports
	logger       *slog.Logger
	gate         *gate
	metrics      http.Handler
	ready        func(context.Context) error
	views        *views
	strips       *page.Memo[struct{}, matrix]
	standing     *page.Memo[struct{}, standing]
	accounts     *page.Memo[accountKey, account]
	refresh      time.Duration
	hub          *hub
	mux          *http.ServeMux
	rooms        *rooms
}

// readTimeout bounds one reading of the facts.
const readTimeout = 20 * time.Second

// New returns a server. It refuses to make one that anybody could read.
func New(o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("make operators' pages: %w", err)
	}
	g := &gate{key: make([]byte, sha256.Size), hosts: o.Hosts, providers: o.Providers}
	if _, err := rand.Read(g.key); err != nil {
		return nil, fmt.Errorf("make operators' pages: %w", err)
	}
	if !Loopback(o.Listen) {
		key := sha256.Sum256([]byte("varde ops key " + o.Token))
		g.token, g.key = o.Token, key[:]
	}
	v, err := newViews()
	if err != nil {
		return nil, fmt.Errorf("make operators' pages: %w", err)
	}
	if g.hosts == nil {
		g.hosts = func() []string { return nil }
	}
	if g.providers == nil {
		g.providers = func() []Provider { return nil }
	}
	if o.Incidents == nil {
		o.Incidents = noIncidents{}
	}
	if o.Reports == nil {
		o.Reports = noReports{}
	}
	if o.Refresh <= 0 {
		o.Refresh = 3 * time.Second
	}
	s := &Server{
		live: o.Live, history: o.History, observations: o.Observations, ledger: o.Ledger, servers: o.Servers, incidents: o.Incidents, reports: o.Reports, logger: o.Logger, gate: g,
		metrics: o.Metrics, ready: o.Ready, views: v, strips: page.NewMemo[struct{}, matrix](o.Refresh),
		standing: page.NewMemo[struct{}, standing](noticesFor), accounts: page.NewMemo[accountKey, account](accountFor), hub: newHub(),
		refresh: o.Refresh, rooms: &rooms{of: make(map[string]*Server)},
	}
	s.routes()
	return s, nil
}

func (o Options) validate() error {
	switch {
	case o.Live == nil, o.History == nil, o.Observations == nil, o.Ledger == nil, o.Servers == nil:
		return errors.New("a source is missing, expected Live, History, Observations, Ledger and Servers")
	case o.Logger == nil:
		return errors.New("no logger given")
	case !Loopback(o.Listen) && len(o.Token) < MinToken:
		return fmt.Errorf("listener %q is not on loopback and the token has %d characters, expected at least %d", o.Listen, len(o.Token), MinToken)
	}
	return nil
}

func (s *Server) routes() {
	s.mux = http.NewServeMux()
	for path, handler := range map[string]http.HandlerFunc{
		"GET /{$}":                   s.overview,
		"GET /check/{id}":            s.check,
		"GET /incidents":             s.incidentsPage,
		"GET /incident/{id}":         s.incidentPage,
		"POST /incident/{id}":        s.actOn,
		"GET /numbers":               s.numbersPage,
		"GET /numbers/{service}":     s.serviceNumbersPage,
		"GET /mail":                  s.mailPage,
		"GET /reports":               s.reportsPage,
		"GET /reports/{file}":        s.reportFile,
		"GET /probes":                s.probes,
		"GET /probe/{name}":          s.probe,
		"GET /login":                 s.loginForm,
		"POST /login":                s.login,
		"POST /logout":               s.logout,
		"GET /healthz":               s.healthz,
		"GET /readyz":                s.readyz,
		"GET /metrics":               s.serveMetrics,
		"GET /api/v1/verdicts":       s.apiVerdicts,
		"GET /api/v1/services":       s.apiServices,
		"GET /api/v1/probes":         s.apiProbes,
		"GET /api/v1/incidents":      s.apiIncidents,
		"GET /api/v1/incidents/{id}": s.apiIncident,
		"GET /api/v1/observations":   s.apiObservations,
		"GET /api/v1/availability":   s.apiAvailability,
		"GET /api/v1/numbers":        s.apiNumbers,
		"GET /api/v1/numbers.csv":    s.apiNumbers,
		"GET /api/v1/latency":        s.apiLatency,
		"GET /api/v1/graphs/{file}":  s.apiGraph,
		"GET /api/v1/mail":           s.apiMail,
		"GET /api/v1/annotations":    s.apiAnnotations,
		"GET /api/v1/findings":       s.apiFindings,
		"GET /api/v1/stream":         s.stream,
		"/":                          s.missing,
	} {
		s.mux.HandleFunc(path, handler)
	}
}

var _ http.Handler = (*Server)(nil)

// maxBody bounds what a request may send: the only forms are short.
const maxBody = 16 << 10

// ServeHTTP answers a request of an operator.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.views.policy.Set(w.Header())
	w.Header().Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	switch {
	case !s.gate.hostAllowed(r.Host):
		s.turnAway(w, r, http.StatusMisdirectedRequest, fmt.Sprintf("host %q is not ours, expected an address, localhost or a configured name", r.Host))
	case r.URL.Path == "/healthz" || r.URL.Path == "/readyz":
		s.mux.ServeHTTP(w, r)
	case !reads(r) && !s.gate.changeAllowed(r):
		s.turnAway(w, r, http.StatusForbidden, "the request does not come from a page of ours, expected its Origin and page token")
	default:
		v, ok := s.gate.admitted(r)
		if r.URL.Path != "/login" && !ok {
			s.demand(w, r)
			return
		}
		s.room(v.provider).mux.ServeHTTP(w, r)
	}
}

// reads says whether the request changes nothing.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// demand asks for the token: a person is led to the form, a program is told.
func (s *Server) demand(w http.ResponseWriter, r *http.Request) {
	if isData(r) || !reads(r) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="varde"`)
		s.refuse(w, r, http.StatusUnauthorized, "no valid token, expected Authorization: Bearer TOKEN")
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// isData says whether the answer is read by a program.
func isData(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Path == "/metrics"
}

// refuse says what was wrong, as JSON to programs and as a page to people.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, problem string) {
	if isData(r) {
		apiError(w, status, problem)
		return
	}
	s.notice(w, r, status, problem)
}

// turnAway refuses what may be an attack, and is as often a proxy or a name
// that was set up wrongly: the log says which.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, status int, problem string) {
	s.logger.Warn("request refused", "remote", r.RemoteAddr, "method", r.Method, "host", r.Host, "path", r.URL.Path,
		"origin", r.Header.Get("Origin"), "problem", problem)
	s.refuse(w, r, status, problem)
}

func (s *Server) missing(w http.ResponseWriter, r *http.Request) {
	if !reads(r) {
		w.Header().Set("Allow", "GET, HEAD")
		s.refuse(w, r, http.StatusMethodNotAllowed, "method "+r.Method+", expected GET")
		return
	}
	s.refuse(w, r, http.StatusNotFound, "there is nothing at "+r.URL.Path)
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") }

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if s.ready != nil {
		ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
		defer cancel()
		if err := s.ready(ctx); err != nil {
			plain(w, http.StatusServiceUnavailable, "not ready: "+err.Error()+"\n")
			return
		}
	}
	plain(w, http.StatusOK, "ready\n")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if s.metrics == nil {
		s.missing(w, r)
		return
	}
	s.metrics.ServeHTTP(w, r)
}
