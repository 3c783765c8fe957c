package statuspage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/mail"
	"varde/coordinator/internal/page"
)

// Options of a Site.
type Options struct {
	// Source of the facts. Required.
	Source Source
	// Pages are the pages to serve, chosen by the host of their URL; the first
	// is shown to everybody else. At least one.
	Pages []Page
	// Logger takes what could not be read. Required.
	Logger *slog.Logger
	// Refresh is how long a snapshot and what is rendered of it are served, 2 s
	// if not given.
	Refresh time.Duration
	// HistoryRefresh is the same for what was seen in the past, 20 s if not
	// given.
	HistoryRefresh time.Duration
}

// Site serves the public pages. It may be used from many goroutines, starts
// none and holds nothing that must be closed.
type Site struct {
	source  Source
	pages   []Page
	logger  *slog.Logger
	mux     *http.ServeMux
	views   *views
	now     *page.Memo[struct{}, Now]
	history *page.Memo[historyKey, past]
	mails   *page.Memo[historyKey, mail.Sums]
	// entities are the finished answers. Their keys are checked before, so the
	// memo is as large as the configuration makes it.
	entities *page.Memo[entityKey, *page.Entity]
	// notices are the pages that hold no measurement; their texts are few.
	notices *page.Memo[noticeKey, *page.Entity]
}

type historyKey struct {
	service string
	span    string
}

type noticeKey struct {
	page  int
	first string
}

type entityKey struct {
	page int
	path string
}

// maxAge is how long readers and caches may keep an answer, as Statuspage
// lets them.
const maxAge = 10 * time.Second

// readTimeout bounds one reading of the source.
const readTimeout = 10 * time.Second

// New returns a site. It reads nothing yet.
func New(o Options) (*Site, error) {
	switch {
	case o.Source == nil:
		return nil, errors.New("make status page: no source given")
	case o.Logger == nil:
		return nil, errors.New("make status page: no logger given")
	case len(o.Pages) == 0:
		return nil, errors.New("make status page: no page given, expected at least one")
	}
	v, err := newViews()
	if err != nil {
		return nil, fmt.Errorf("make status page: %w", err)
	}
	if o.Refresh <= 0 {
		o.Refresh = 2 * time.Second
	}
	if o.HistoryRefresh <= 0 {
		o.HistoryRefresh = 20 * time.Second
	}
	s := &Site{
		source: o.Source, pages: slices.Clone(o.Pages), logger: o.Logger, views: v,
		now:      page.NewMemo[struct{}, Now](o.Refresh),
		history:  page.NewMemo[historyKey, past](o.HistoryRefresh),
		mails:    page.NewMemo[historyKey, mail.Sums](o.HistoryRefresh),
		entities: page.NewMemo[entityKey, *page.Entity](o.Refresh),
		notices:  page.NewMemo[noticeKey, *page.Entity](24 * time.Hour),
	}
	s.routes()
	return s, nil
}

func (s *Site) routes() {
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("GET /{$}", s.front)
	s.mux.HandleFunc("GET /service/{id}", s.service)
	s.mux.HandleFunc("GET /incident/{id}", s.incident)
	s.mux.HandleFunc("GET /maintenance/{id}", s.maintenance)
	s.mux.HandleFunc("GET /history", s.incidents)
	s.mux.HandleFunc("GET /history.atom", s.feed("/history.atom", "application/atom+xml", atom))
	s.mux.HandleFunc("GET /history.rss", s.feed("/history.rss", "application/rss+xml", rss))
	s.mux.HandleFunc("GET /history.ics", s.calendar)
	s.mux.HandleFunc("GET /graph/{file}", s.graph)
	s.mux.HandleFunc("GET /badge/{file}", s.badge)
	s.mux.HandleFunc("GET /robots.txt", s.robots)
	for _, name := range apiNames() {
		s.mux.HandleFunc("GET /api/v2/"+name+".json", func(w http.ResponseWriter, r *http.Request) { s.api(w, r, name) })
	}
	s.mux.HandleFunc("/", s.missing)
}

var _ http.Handler = (*Site)(nil)

// ServeHTTP answers a request of anybody.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// pageOf is the page that the request asks for, by its host.
func (s *Site) pageOf(r *http.Request) int {
	for i, p := range s.pages {
		if u, err := url.Parse(p.URL); err == nil && u.Host != "" && page.Host(u.Host) == page.Host(r.Host) {
			return i
		}
	}
	return 0
}

// Renew says that the facts changed: all is made anew when it is next asked for.
func (s *Site) Renew() {
	s.now.Renew()
	s.entities.Renew()
}

// send answers with the entity of the key, made by produce when it is due.
func (s *Site) send(w http.ResponseWriter, r *http.Request, path string, produce func(context.Context, scene) (*page.Entity, error)) {
	k := entityKey{s.pageOf(r), path}
	e, err := s.entities.Get(k, func() (*page.Entity, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), readTimeout)
		defer cancel()
		now, err := s.readNow(ctx)
		if err != nil {
			return nil, err
		}
		return produce(ctx, sceneOf(s.pages[k.page], now))
	})
	if err != nil {
		s.unavailable(w, r)
		return
	}
	e.Send(w, r, http.StatusOK, maxAge)
}

// sendKnown is send for a path that there is only while the page shows something: a key
// that anybody may think of makes nothing.
func (s *Site) sendKnown(w http.ResponseWriter, r *http.Request, path string, known func(scene) bool, produce func(context.Context, scene) (*page.Entity, error)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), readTimeout)
	defer cancel()
	now, err := s.readNow(ctx)
	switch {
	case err != nil:
		s.unavailable(w, r)
	case !known(sceneOf(s.pages[s.pageOf(r)], now)):
		s.missing(w, r)
	default:
		s.send(w, r, path, produce)
	}
}

// unavailable says that the source cannot be read.
func (s *Site) unavailable(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "10")
	s.notice(w, r, http.StatusServiceUnavailable, "The measurement cannot be read now.",
		"This says nothing about the services. Please try again in a few seconds.")
}

// readNow returns the snapshot in force.
func (s *Site) readNow(ctx context.Context) (Now, error) {
	return s.now.Get(struct{}{}, func() (Now, error) {
		now, err := s.source.Now(ctx)
		if err != nil {
			s.logger.Warn("status page cannot read verdicts", "error", err)
			return Now{}, fmt.Errorf("read verdicts: %w", err)
		}
		return now, nil
	})
}

// span is a window that readers can choose.
type span struct {
	// name is its name in links, words what it is called in sentences.
	name, words  string
	length, step time.Duration
}

// spans are the windows that there are; the first is the usual one.
func spans() []span {
	const day = 24 * time.Hour
	return []span{
		{"24h", "the last 24 hours", day, 15 * time.Minute},
		{"7d", "the last 7 days", 7 * day, time.Hour},
		{"30d", "the last 30 days", 30 * day, 6 * time.Hour},
		{"90d", "the last 90 days", 90 * day, day},
	}
}

// spanOf finds a window by its name; the empty name is the usual one.
func spanOf(name string) (span, bool) {
	all := spans()
	if name == "" {
		return all[0], true
	}
	i := slices.IndexFunc(all, func(s span) bool { return s.name == name })
	if i < 0 {
		return span{}, false
	}
	return all[i], true
}

// past is what was seen of one service, with the window it was read for.
type past struct {
	span    span
	window  graph.Window
	regions []RegionHistory
}

// region is what one region saw; the zero value if it has nothing.
func (p past) region(id string) RegionHistory {
	i := slices.IndexFunc(p.regions, func(r RegionHistory) bool { return r.Region == id })
	if i < 0 {
		return RegionHistory{Region: id}
	}
	return p.regions[i]
}

// readPast returns what was seen of a service in the window that ends at the
// given time, or a little earlier: a history that is in force is used again.
func (s *Site) readPast(ctx context.Context, at time.Time, service string, sp span) (past, error) {
	return s.history.Get(historyKey{service, sp.name}, func() (past, error) {
		window := graph.Last(sp.length, sp.step, at)
		regions, err := s.source.History(ctx, service, window)
		if err != nil {
			s.logger.Warn("status page cannot read history", "service", service, "range", sp.name, "error", err)
			return past{}, fmt.Errorf("read history of %s: %w", service, err)
		}
		return past{sp, window, regions}, nil
	})
}

// readMail returns what became of the test mails of a service in the same window.
func (s *Site) readMail(ctx context.Context, service string, p past) (mail.Sums, error) {
	return s.mails.Get(historyKey{service, p.span.name}, func() (mail.Sums, error) {
		sums, err := s.source.Mail(ctx, service, p.window)
		if err != nil {
			s.logger.Warn("status page cannot read mails", "service", service, "range", p.span.name, "error", err)
			return mail.Sums{}, fmt.Errorf("read mails of %s: %w", service, err)
		}
		return sums, nil
	})
}

// api sends one of the documents under /api/v2.
func (s *Site) api(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	s.send(w, r, "/api/v2/"+name, func(_ context.Context, sc scene) (*page.Entity, error) {
		d, err := sc.document(name)
		if err != nil {
			return nil, err
		}
		body, err := json.Marshal(d)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		return page.NewEntity("application/json; charset=utf-8", body, page.Policy{Framed: true}), nil
	})
}

func (s *Site) robots(w http.ResponseWriter, r *http.Request) {
	page.NewEntity("text/plain; charset=utf-8", []byte("User-agent: *\nAllow: /\n"), page.Policy{}).Send(w, r, http.StatusOK, time.Hour)
}
