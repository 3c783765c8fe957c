package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/recording"
)

// Export writes three observations, and remembers what was asked for.
func (f *fleet) Export(_ context.Context, want recording.Wanted, w io.Writer) error {
	f.exported = append(f.exported, want)
	if want.Check == "torn" {
		_, err := io.WriteString(w, `{"check":`)
		return errors.Join(err, errors.New("journal: disk is gone"))
	}
	if want.Check == "idle" {
		return nil
	}
	lines := json.NewEncoder(w)
	for i := range uint64(3) {
		o := checks.Observation{Check: "imap", Service: "imap", Probe: "osl-1", Region: "eu-north", Family: checks.IPv4, Seq: i + 1, Scheduled: noon, Started: noon, Result: checks.Result{Outcome: checks.Up}}
		if err := lines.Encode(o); err != nil {
			return err
		}
	}
	return nil
}

func TestExport(t *testing.T) {
	config, data := initialised(t)
	f := serve(t, data)
	dir := t.TempDir()
	ask := func(args ...string) (code int, out, errs string) {
		return calledWith(t, false, append([]string{"export", "--config", config}, args...)...)
	}
	code, lines, errs := ask("--from", "90m", "--service", "imap", "--region", "eu-north", "--probe", "osl-1")
	if code != 0 || strings.Count(lines, "\n") != 3 || !strings.HasPrefix(lines, `{"check":"imap",`) || errs != "" {
		t.Errorf("exit %d, %q, %q", code, lines, errs)
	}
	want := recording.Wanted{From: noon.Add(-90 * time.Minute), To: noon, Service: "imap", Region: "eu-north", Probe: "osl-1"}
	if got := f.exported[0]; got != want {
		t.Errorf("asked for %+v, want %+v", got, want)
	}
	for _, name := range []string{"x.jsonl", "x.jsonl.gz", "x.jsonl.zst", "x.parquet"} {
		path := filepath.Join(dir, name)
		code, out, errs := ask("-o", path, "--from", "2026-11-20T00:00Z", "--to", "2026-11-21 00:00")
		if code != 0 || !strings.HasPrefix(out, "wrote "+path+": 3 observations from 2026-11-20 00:00:00 UTC to 2026-11-21 00:00:00 UTC, ") || errs != "" {
			t.Errorf("%s: exit %d, %q, %q", name, code, out, errs)
		}
	}
	if code, out, errs := ask("--check", "idle", "-o", filepath.Join(dir, "none.jsonl")); code != 0 || !strings.Contains(out, "none.jsonl: 0 observations from ") || errs != "" {
		t.Errorf("of a check that was not run: exit %d, %q, %q", code, out, errs)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "x.jsonl")); err != nil || string(b) != lines {
		t.Errorf("x.jsonl holds %q, %v, want %q", b, err, lines)
	}
}

func TestExportRefuses(t *testing.T) {
	config, data := initialised(t)
	serve(t, data)
	dir := t.TempDir()
	for _, x := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-o", "x.csv"}, 2, `export: -o: got "x.csv", expected a name that ends with .jsonl, .jsonl.gz, .jsonl.zst or .parquet`},
		{[]string{"--from", "yesterday"}, 2, `export: --from: got "yesterday", expected now, a time such as`},
		{[]string{"--to", "soon"}, 2, `export: --to: got "soon"`},
		{[]string{"--from", "now"}, 2, "export: --from: got 2026-11-22 12:00:00 UTC, expected a time before --to, 2026-11-22 12:00:00 UTC"},
		{[]string{"--check", "torn", "-o", filepath.Join(dir, "x.jsonl")}, 1, "journal: disk is gone"},
		{[]string{"--check", "torn", "-o", filepath.Join(dir, "x.jsonl.zst")}, 1, "journal: disk is gone"},
		{[]string{"--check", "torn", "-o", filepath.Join(dir, "x.parquet")}, 1, "journal: disk is gone"},
		{[]string{"-o", filepath.Join(dir, "none/x.parquet")}, 1, "none/x.parquet"},
	} {
		code, out, errs := calledWith(t, false, append([]string{"export", "--config", config}, x.args...)...)
		if code != x.code || out != "" || !strings.Contains(errs, x.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: exit %d, %q, %q, want %d and %q", x.args, code, out, errs, x.code, x.want)
		}
	}
	if left := tree(t, dir); left != "" {
		t.Errorf("left behind: %s", left)
	}
}
