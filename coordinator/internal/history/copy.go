package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Copy makes a copy of each file of the history in the folder temp, hands it to fn by
// its name, and removes it again, while everything goes on. Each is as it was at one
// moment. The first is the one with the places in the journal: what was sealed before
// the others are copied is sealed once more, and a journal copied afterwards reaches
// past every place.
func (s *Store) Copy(ctx context.Context, temp string, fn func(name, path string) error) error {
	names, err := s.months.names()
	if err != nil {
		return fmt.Errorf("copy history: %w", err)
	}
	for _, name := range append([]string{historyFile}, names...) {
		if err := s.copyFile(ctx, name, temp, fn); err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
	}
	return nil
}

func (s *Store) copyFile(ctx context.Context, name, temp string, fn func(name, path string) error) (err error) {
	path, from, db := filepath.Join(temp, name), filepath.Join(s.options.Dir, name), s.reads
	if name != historyFile {
		if db, err = openSQLiteAs("rw", from, "FULL", 1); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
	}
	// A read transaction for as long as it takes: writers go on in WAL mode.
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, path)
	if _, gone := os.Stat(from); err != nil && errors.Is(gone, os.ErrNotExist) {
		return nil // a month that was old enough was deleted meanwhile
	}
	if err == nil {
		err = fn(name, path)
	}
	if gone := os.Remove(path); gone != nil && !errors.Is(gone, os.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// Verify says whether the files of a history that nobody uses are whole.
func Verify(ctx context.Context, dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("verify history: %w", err)
	}
	for _, f := range files {
		if filepath.Ext(f.Name()) != ".db" {
			continue
		}
		if err := verifyFile(ctx, filepath.Join(dir, f.Name())); err != nil {
			return fmt.Errorf("verify %s: %w", f.Name(), err)
		}
	}
	return nil
}

func verifyFile(ctx context.Context, path string) (err error) {
	db, err := openSQLiteAs("rw", path, "NORMAL", 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, `PRAGMA integrity_check(10)`)
	if err != nil {
		return err
	}
	faults, err := texts(rows)
	if err == nil && !slices.Equal(faults, []string{"ok"}) {
		err = errors.New(strings.Join(faults, ", "))
	}
	return err
}

// texts reads rows of one text.
func texts(rows *sql.Rows) (out []string, err error) {
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
