package history

import (
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The tables of the record, with series by name: numbers of rows depend on which
// part met a series first, and nothing else does.
var recordTables = map[string]string{
	"place": `SELECT * FROM place`, "mark": `SELECT * FROM mark`, "probe": `SELECT * FROM probe`,
	"judge":   `SELECT check_id, region, family, judge FROM judge JOIN series ON series.id = series`,
	"verdict": `SELECT kind, check_id, region, family, at, was, state, since, reason, up, down, unknown, evidence FROM verdict JOIN series ON series.id = series`,
	"final":   `SELECT * FROM final`, "touched": `SELECT * FROM touched`, "passage": `SELECT * FROM passage`,
	"boundary":     `SELECT hour, check_id, region, family, judge FROM boundary JOIN series ON series.id = series`,
	"open_hour":    `SELECT hour, check_id, region, family, probe, probes FROM open_hour JOIN series ON series.id = series`,
	"open_minute":  `SELECT check_id, region, family, probe, minute, cell FROM open_minute JOIN series ON series.id = series`,
	"open_quarter": `SELECT check_id, region, family, probe, quarter, phases FROM open_quarter JOIN series ON series.id = series`,
	"hour":         `SELECT check_id, r.region, family, r.probe, h.* FROM hour h JOIN series r ON r.id = h.series`,
	"day":          `SELECT check_id, r.region, family, r.probe, h.* FROM day h JOIN series r ON r.id = h.series`,
	"past":         `SELECT check_id, r.region, family, r.probe, p.* FROM past p JOIN series r ON r.id = p.series`,
	"probe_past":   `SELECT check_id, r.region, family, p.* FROM probe_past p JOIN series r ON r.id = p.series`,
	"days_closed":  `SELECT * FROM days_closed`,
	"mail":         `SELECT * FROM mail`, "sighting": `SELECT * FROM sighting`, "chain": `SELECT * FROM chain`,
	"annotation": `SELECT * FROM annotation`, "finding": `SELECT * FROM finding`, "pulse": `SELECT * FROM pulse`,
}

// dump is everything that the history holds, line by line, sorted.
func dump(t testing.TB, s *Store) []string {
	t.Helper()
	var out []string
	for name, query := range recordTables {
		out = append(out, rowsOf(t, s.reads, name, query)...)
	}
	files, err := filepath.Glob(filepath.Join(s.options.Dir, "minutes-*.db"))
	must(t, err)
	for _, file := range files {
		db, err := openSQLite(file, "FULL", 1)
		must(t, err)
		out = append(out, rowsOf(t, db, filepath.Base(file), `SELECT * FROM block`)...)
		must(t, db.Close())
	}
	slices.Sort(out)
	return out
}

func rowsOf(t testing.TB, db *sql.DB, name, query string, args ...any) []string {
	t.Helper()
	rows, err := db.Query(query, args...)
	must(t, err)
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	columns, err := rows.Columns()
	must(t, err)
	var out []string
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		must(t, rows.Scan(values...))
		var line []string
		for i, v := range values {
			if columns[i] != "series" {
				line = append(line, text(columns[i], *v.(*any)))
			}
		}
		out = append(out, name+": "+strings.Join(line, " | "))
	}
	must(t, rows.Err())
	return out
}

func text(column string, v any) string {
	switch v := v.(type) {
	case []byte:
		sum := sha256.Sum256(v)
		return fmt.Sprintf("%d bytes %x", len(v), sum[:6])
	case string:
		if column == "judge" && !json.Valid([]byte(v)) {
			return "damaged judge"
		}
		return v
	}
	return fmt.Sprint(v)
}

// sameRecord fails with the first lines in which two records differ.
func sameRecord(t testing.TB, want, got []string) {
	t.Helper()
	if slices.Equal(want, got) {
		return
	}
	missing := difference(want, got)
	extra := difference(got, want)
	t.Fatalf("records differ: %d lines are missing, %d should not be there\n- %s\n+ %s", len(missing), len(extra),
		strings.Join(missing[:min(4, len(missing))], "\n- "), strings.Join(extra[:min(4, len(extra))], "\n+ "))
}

func difference(a, b []string) []string {
	in := make(map[string]bool, len(b))
	for _, line := range b {
		in[line] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(line string) bool { return in[line] })
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
