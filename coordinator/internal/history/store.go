package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"varde/coordinator/internal/availability"
)

// Options of a Store.
type Options struct {
	// Dir is the folder of the files; it is made if it is missing. Required.
	Dir string
	// Source is the journal. Required.
	Source Source
	// Config returns the configuration in force, the same pointer until it
	// changes. It is called often and from several goroutines. Required.
	Config    func() *Config
	Retention Retention
	// Maintenance returns the announced maintenance of a service that overlaps [from, to),
	// in any order; none if nil. It is called for every number, from several goroutines.
	Maintenance func(service string, from, to time.Time) []availability.Window
	// Logger is required.
	Logger *slog.Logger
}

// Retention says how long rollups are kept. Zero means the default.
type Retention struct {
	// Minutes are kept by whole months, so up to a month longer: default 30 days.
	Minutes time.Duration
	// Hours: default one year.
	Hours time.Duration
	// Days, verdicts, mails, annotations and findings: default ten years.
	Days time.Duration
}

const day = 24 * time.Hour

// historyFile is the name of the file that holds all but the blocks of the months.
const historyFile = "history.db"

func (r Retention) withDefaults() Retention {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&r.Minutes, 30*day)
	set(&r.Hours, 366*day)
	set(&r.Days, 3653*day)
	return r
}

func (o Options) validate() error {
	if o.Dir == "" || o.Source == nil || o.Config == nil || o.Logger == nil {
		return errors.New("open history: Dir, Source, Config and Logger are required")
	}
	return nil
}

// Store is the history on disk and what is known of the present. Its queries may
// be called from many goroutines, also while the readers run.
type Store struct {
	options Options
	log     *slog.Logger
	// db writes, through one connection; reads go to their own.
	db, reads *sql.DB
	// prepared are the statements of db, queries those of reads.
	prepared, queries map[string]*sql.Stmt
	months            *months
	series            *dictionary
	board             *board
	newest            *newest
	// rolled is the place up to which the rollups are on disk.
	rolled atomic.Pointer[Place]
	// ignored counts observations that are not rolled up, commits the transactions
	// that are on disk.
	ignored, commits atomic.Uint64
	// latest are the numbers of the newest changes of verdict that are on disk, or
	// were, by their kind.
	latest map[string]*atomic.Int64
	health *health
}

// Open opens the history, or makes a new one, and reads the last known verdicts.
// It starts no goroutine: the parts that write are run by whoever opened it.
func Open(o Options) (_ *Store, err error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	o.Retention = o.Retention.withDefaults()
	if o.Maintenance == nil {
		o.Maintenance = func(string, time.Time, time.Time) []availability.Window { return nil }
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	s := &Store{options: o, log: o.Logger, months: &months{dir: o.Dir}, newest: &newest{probes: make(map[string]lastSeen)}, health: newHealth()}
	s.rolled.Store(&Place{})
	defer func() {
		if err != nil {
			_ = s.Close() // the first error is the one that matters
		}
	}()
	path := filepath.Join(o.Dir, historyFile)
	if s.db, err = openSQLite(path, "NORMAL", 1); err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	if err := migrate(s.db); err != nil {
		return nil, fmt.Errorf("open history %s: %w", path, err)
	}
	if s.reads, err = openSQLite(path, "NORMAL", readers); err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("open history %s: %w", path, damaged(err))
	}
	return s, nil
}

// damaged says what to do about a file that is not as this program leaves it.
func damaged(err error) error {
	return fmt.Errorf("%w; restore the file from a backup, or move it away to have what the journal still holds made again", err)
}

// readers is the number of connections for queries: pages are drawn one at a
// time, and each holds a page cache.
const readers = 4

// openSQLite opens one file. With NORMAL in WAL mode a loss of power takes back
// the last transactions, each as a whole, but damages nothing: the place in the
// journal is taken back with them.
func openSQLite(path, synchronous string, connections int) (*sql.DB, error) {
	return openSQLiteAs("rwc", path, synchronous, connections)
}

// openSQLiteAs opens a database in one of the modes of <https://sqlite.org/uri.html>: rwc
// makes the file if there is none, with rw that is an error.
func openSQLiteAs(mode, path, synchronous string, connections int) (*sql.DB, error) {
	q := url.Values{"mode": {mode}, "_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(" + synchronous + ")", "cache_size(-4000)",
	}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

func migrate(db *sql.DB) error {
	var version int
	if err := db.QueryRow(`PRAGMA user_version`).Scan(&version); err != nil {
		return damaged(err)
	}
	if version > len(migrations) {
		return fmt.Errorf("schema version %d, expected %d: written by another version of the program", version, len(migrations))
	}
	for _, m := range migrations[version:] {
		version++
		if _, err := db.Exec(fmt.Sprintf("BEGIN; %s PRAGMA user_version = %d; COMMIT", m, version)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) load() (err error) {
	if s.prepared, err = prepare(s.db, hotStatements[:]); err != nil {
		return err
	}
	if s.queries, err = prepare(s.reads, hotQueries[:]); err != nil {
		return err
	}
	if s.series, err = loadDictionary(s.db); err != nil {
		return err
	}
	if s.board, err = s.loadBoard(); err != nil {
		return err
	}
	if err = s.newest.load(s.db); err != nil {
		return err
	}
	return s.loadChanges()
}

func prepare(db *sql.DB, queries []string) (map[string]*sql.Stmt, error) {
	out := make(map[string]*sql.Stmt, len(queries))
	for _, q := range queries {
		st, err := db.Prepare(q)
		if err != nil {
			return out, err
		}
		out[q] = st
	}
	return out, nil
}

// query reads rows by a query that was prepared, or by any other.
func (s *Store) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if st := s.queries[query]; st != nil {
		return st.QueryContext(ctx, args...)
	}
	return s.reads.QueryContext(ctx, query, args...)
}

func (s *Store) loadChanges() error {
	s.latest = make(map[string]*atomic.Int64)
	for _, kind := range []string{"told", "final"} {
		var newest int64
		if err := s.db.QueryRow(`SELECT coalesce(max(id), 0) FROM verdict WHERE kind = ?`, kind).Scan(&newest); err != nil {
			return err
		}
		s.latest[kind] = new(atomic.Int64)
		s.latest[kind].Store(newest)
	}
	return nil
}

// Close closes the files. The parts that write must have ended.
func (s *Store) Close() error {
	errs := []error{s.months.close()}
	for _, statements := range []map[string]*sql.Stmt{s.prepared, s.queries} {
		for _, st := range statements {
			errs = append(errs, st.Close())
		}
	}
	for _, db := range []*sql.DB{s.reads, s.db} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// writer runs the statements of one transaction and remembers the first error.
type writer struct {
	s   *Store
	tx  *sql.Tx
	err error
	// changes are the numbers of the last changes of verdict that were written, by
	// their kind.
	changes map[string]int64
}

func (w *writer) exec(query string, args ...any) { w.run(query, args...) }

// insert returns the number of the row; 0 where there is none because of an error.
func (w *writer) insert(query string, args ...any) (id int64) {
	result := w.run(query, args...)
	if w.err == nil {
		id, w.err = result.LastInsertId()
	}
	return id
}

func (w *writer) run(query string, args ...any) (result sql.Result) {
	switch st := w.s.prepared[query]; {
	case w.err != nil:
	case st != nil:
		result, w.err = w.tx.Stmt(st).Exec(args...)
	default:
		result, w.err = w.tx.Exec(query, args...)
	}
	return result
}

// fail remembers an error that did not come from the database.
func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// write runs fn in one transaction. It does not obey a context: a transaction is
// short, and one that was begun is better finished.
func (s *Store) write(fn func(*writer)) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	w := &writer{s: s, tx: tx, changes: make(map[string]int64)}
	if fn(w); w.err != nil {
		return errors.Join(w.err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.commits.Add(1)
	for kind, id := range w.changes {
		s.latest[kind].Store(id)
	}
	return nil
}
