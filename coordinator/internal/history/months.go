package history

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"varde/coordinator/internal/history/cell"
	"varde/coordinator/internal/verdict"
)

// months are the files of blocks, one a month, opened when they are needed.
type months struct {
	dir string
	mu  sync.Mutex
	// open are the files in use, at most maxOpenMonths.
	open []month
}

type month struct {
	name string
	db   *sql.DB
}

// maxOpenMonths is enough for a graph of ninety days.
const maxOpenMonths = 4

// monthLayout is the name of a month's file, as package time writes it.
const monthLayout = "minutes-2006-01.db"

func monthName(t time.Time) string { return t.UTC().Format(monthLayout) }

// file returns the file of the month of t, nil if there is none and it is not to
// be made. The caller holds mu while it uses the file.
func (m *months) fileLocked(t time.Time, create bool) (*sql.DB, error) {
	name := monthName(t)
	for _, o := range m.open {
		if o.name == name {
			return o.db, nil
		}
	}
	path := filepath.Join(m.dir, name)
	if _, err := os.Stat(path); err != nil && !create {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	// FULL: the open minutes are deleted once the block is written.
	db, err := openSQLite(path, "FULL", 1)
	if err != nil {
		return nil, err
	}
	if _, err := db.Exec(monthSchema); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", name, err), db.Close())
	}
	if len(m.open) == maxOpenMonths {
		if err := m.open[0].db.Close(); err != nil {
			return nil, errors.Join(err, db.Close())
		}
		m.open = m.open[1:]
	}
	m.open = append(m.open, month{name, db})
	return db, nil
}

// block is one sealed hour of one series, as written.
type block struct {
	series verdict.Series
	data   []byte
}

// put writes the blocks of one hour; they are on disk when it returns.
func (m *months) put(hour time.Time, blocks []block) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	db, err := m.fileLocked(hour, true)
	if err != nil {
		return err
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	for _, b := range blocks {
		_, err := tx.Exec(`INSERT OR REPLACE INTO block (check_id, region, family, hour, block) VALUES (?, ?, ?, ?, ?)`,
			b.series.Check, b.series.Region, b.series.Family.String(), hour.Unix(), b.data)
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// get returns one sealed hour, nil if there is none.
func (m *months) get(s verdict.Series, hour time.Time) (*cell.Hour, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	db, err := m.fileLocked(hour, false)
	if db == nil || err != nil {
		return nil, err
	}
	var data []byte
	err = db.QueryRow(`SELECT block FROM block WHERE check_id = ? AND region = ? AND family = ? AND hour = ?`,
		s.Check, s.Region, s.Family.String(), hour.Unix()).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return cell.DecodeHour(data)
}

// drop deletes the files of months that ended at or before the given time, and
// returns their names.
func (m *months) drop(before time.Time) (dropped []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	files, err := os.ReadDir(m.dir)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		name := file.Name()
		start, err := time.Parse(monthLayout, name)
		if err != nil || start.AddDate(0, 1, 0).After(before) {
			continue
		}
		if err := m.forgetLocked(name); err != nil {
			return dropped, err
		}
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(filepath.Join(m.dir, name+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return dropped, err
			}
		}
		dropped = append(dropped, name)
	}
	return dropped, nil
}

func (m *months) forgetLocked(name string) error {
	for i, o := range m.open {
		if o.name == name {
			m.open = append(m.open[:i:i], m.open[i+1:]...)
			return o.db.Close()
		}
	}
	return nil
}

func (m *months) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, o := range m.open {
		errs = append(errs, o.db.Close())
	}
	m.open = nil
	return errors.Join(errs...)
}
