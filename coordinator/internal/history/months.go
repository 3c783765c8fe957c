package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
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

// put writes the hours of series; they are on disk when it returns.
func (m *months) put(hour time.Time, blocks map[verdict.Series]cell.Hours) error {
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
	for _, s := range slices.SortedFunc(maps.Keys(blocks), verdict.Series.Compare) {
		_, err := tx.Exec(`INSERT OR REPLACE INTO block (check_id, region, family, hour, block) VALUES (?, ?, ?, ?, ?)`,
			s.Check, s.Region, s.Family.String(), hour.Unix(), blocks[s].Encode())
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// get returns one sealed hour of a series, without any where there is none.
func (m *months) get(s verdict.Series, hour time.Time) (cell.Hours, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	db, err := m.fileLocked(hour, false)
	if db == nil || err != nil {
		return cell.Hours{}, err
	}
	var data []byte
	err = db.QueryRow(`SELECT block FROM block WHERE check_id = ? AND region = ? AND family = ? AND hour = ?`,
		s.Check, s.Region, s.Family.String(), hour.Unix()).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return cell.Hours{}, nil
	}
	if err != nil {
		return nil, err
	}
	return cell.DecodeHours(data)
}

// drop deletes the files of months that ended at or before the given time, and
// returns their names.
func (m *months) drop(before time.Time) (dropped []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	names, err := m.names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if start, err := time.Parse(monthLayout, name); err != nil || start.AddDate(0, 1, 0).After(before) {
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

// names are those of the files that there are, the oldest first.
func (m *months) names() ([]string, error) {
	files, err := os.ReadDir(m.dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, file := range files {
		if _, err := time.Parse(monthLayout, file.Name()); err == nil {
			out = append(out, file.Name())
		}
	}
	return out, nil
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

// blank empties the blocks of an hour and all later ones, of which only the number of
// probes is kept. A file that is not whole is moved aside.
func (m *months) blank(log *slog.Logger, since time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	names, err := m.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if start, err := time.Parse(monthLayout, name); err != nil || !start.AddDate(0, 1, 0).After(since) {
			continue
		}
		err := verifyFile(context.Background(), filepath.Join(m.dir, name))
		if err == nil {
			err = m.blankFileLocked(name, since)
		} else {
			log.Error("file of the history is not whole and is moved aside", "file", name, "error", err)
			err = m.asideLocked(name)
		}
		if err != nil {
			return fmt.Errorf("make %s again: %w", name, err)
		}
	}
	return nil
}

func (m *months) blankFileLocked(name string, since time.Time) error {
	start, err := time.Parse(monthLayout, name)
	if err != nil {
		return err
	}
	db, err := m.fileLocked(start, false)
	if err != nil {
		return err
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if err := blankBlocks(tx, since); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// blankBlocks empties blocks, and deletes those that cannot be read.
func blankBlocks(tx *sql.Tx, since time.Time) error {
	rows, err := tx.Query(`SELECT rowid, block FROM block WHERE hour >= ?`, since.Unix())
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	blank := make(map[int64][]byte)
	for rows.Next() {
		var id int64
		var data sql.RawBytes
		if err := rows.Scan(&id, &data); err != nil {
			return err
		}
		blank[id] = nil
		if hours, err := cell.DecodeHours(data); err == nil {
			for probe, h := range hours {
				hours[probe] = &cell.Hour{Probes: h.Probes}
			}
			blank[id] = hours.Encode()
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for id, data := range blank {
		if data == nil {
			_, err = tx.Exec(`DELETE FROM block WHERE rowid = ?`, id)
		} else {
			_, err = tx.Exec(`UPDATE block SET block = ? WHERE rowid = ?`, data, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// asideLocked renames a file, beside one of the same name that was renamed before.
func (m *months) asideLocked(name string) error {
	if err := m.forgetLocked(name); err != nil {
		return err
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(filepath.Join(m.dir, name+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	to := filepath.Join(m.dir, name+".damaged")
	for i := 2; ; i++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return os.Rename(filepath.Join(m.dir, name), to)
		}
		to = filepath.Join(m.dir, fmt.Sprintf("%s.damaged-%d", name, i))
	}
}
