package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"varde/coordinator/internal/backup"
	"varde/coordinator/internal/journal"
)

// nothing is a journal and a history in which nothing is.
type nothing struct{}

func (nothing) Parts(context.Context) (buckets, logs []string, err error) { return nil, nil, nil }

type noHistory struct{}

func (noHistory) Copy(_ context.Context, temp string, fn func(name, path string) error) error {
	path := filepath.Join(temp, "note")
	if err := os.WriteFile(path, []byte("no history"), 0o600); err != nil {
		return err
	}
	return fn("note", path)
}

func (nothing) Copy(context.Context, string, io.Writer) (journal.Part, error) {
	return journal.Part{}, nil
}

// Backup writes a backup of a folder in which one file is, or what is none.
func (f *fleet) Backup(ctx context.Context, w io.Writer) error {
	if f.data == "" {
		_, err := io.WriteString(w, "no backup")
		return err
	}
	return backup.Write(ctx, w, backup.Source{
		Coordinator: "c1", Version: "0.2.0", Written: noon, Data: f.data, Journal: nothing{}, History: noHistory{},
	})
}

func TestBackupCommands(t *testing.T) {
	config, data := initialised(t)
	f := serve(t, data)
	f.data = t.TempDir()
	put(t, filepath.Join(f.data, "ca.key"), "key")
	file := filepath.Join(t.TempDir(), "varde.zip")
	code, out, errs := calledWith(t, false, "backup", file, "--config", config)
	if code != 0 || errs != "" || !strings.HasPrefix(out, "wrote "+file+": 2 files, ") || !strings.HasSuffix(out, "\nIt holds the keys of the fleet: keep it as safe as the coordinator.\n") {
		t.Errorf("backup: exit %d, %q, %q", code, out, errs)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v, want 0600", info.Mode(), err)
	}
	code, out, errs = calledWith(t, false, "backup", file, "--config", config)
	if code != 1 || out != "" || !strings.Contains(errs, "is there already, expected no such file, or --force") {
		t.Errorf("over a file: exit %d, %q, %q", code, out, errs)
	}
	code, out, errs = calledWith(t, false, "restore", file, "--verify")
	if want := file + " is whole: 2 files, 13 bytes, written by c1 (varde 0.2.0) at " + utc(noon) + " from " + f.data + "\n"; code != 0 || out != want || errs != "" {
		t.Errorf("verify: exit %d, %q, %q, want %q", code, out, errs, want)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	whole := f.data
	f.data = ""
	code, out, errs = calledWith(t, false, "backup", file, "--config", config, "--force")
	if after, err := os.ReadFile(file); code != 1 || out != "" || !strings.Contains(errs, file+" was not written, what came is not right: ") || !bytes.Equal(before, after) {
		t.Errorf("what is no backup, over one: exit %d, %q, %q, now %d bytes, %v", code, out, errs, len(after), err)
	}
	f.data = whole
	to := filepath.Join(t.TempDir(), "data")
	code, out, errs = calledWith(t, true, "restore", file, "--data", to)
	if want := "restored " + to + " from varde.zip, as c1 was at " + utc(noon) + "\n"; code != 0 || out != want || !strings.Contains(errs, "reading "+file) {
		t.Errorf("restore: exit %d, %q, %q, want %q", code, out, errs, want)
	}
	code, out, errs = calledWith(t, false, "restore", file, "--data", to)
	if code != 1 || out != "" || !strings.Contains(errs, "restore: "+file+": data folder "+to+" is not empty") || strings.Count(errs, "\n") != 1 {
		t.Errorf("over another: exit %d, %q, %q", code, out, errs)
	}
	code, out, errs = calledWith(t, false, "restore", file, "--data", to, "--replace")
	if aside := filepath.Join(to, "before-"+noon.UTC().Format("20060102T150405Z")); code != 0 || !strings.Contains(out, "what lay there is in "+aside+"\n") {
		t.Errorf("replace: exit %d, %q, %q", code, out, errs)
	}
	put(t, file, "no backup")
	for _, args := range [][]string{{"restore", file}, {"restore", file, "--verify"}, {"restore", file + "x"}} {
		if code, out, errs := calledWith(t, false, args...); code != 1 || out != "" || !strings.Contains(errs, args[1]) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: exit %d, %q, %q", args, code, out, errs)
		}
	}
	nowhere := filepath.Join(t.TempDir(), "none", "b.zip")
	if code, _, errs := calledWith(t, false, "backup", nowhere, "--config", config); code != 1 || !strings.Contains(errs, nowhere+" cannot be written: stat "+filepath.Dir(nowhere)) {
		t.Errorf("into a folder that is not there: exit %d, %q", code, errs)
	}
	if code, _, errs := calledWith(t, false, "backup", file+"2", "--config", filepath.Join(t.TempDir(), "none.yaml")); code == 0 || errs == "" {
		t.Errorf("without a configuration: exit %d, %q", code, errs)
	}
	if code, out, _ := calledWith(t, false, "restore", "--help"); code != 0 || !strings.Contains(out, "varde-coordinator restore --verify varde.zip") {
		t.Errorf("help: exit %d, %q", code, out)
	}
}

// TestRestoreSaysWhatIsAmiss: a configuration that names another folder than the restored
// one, or does not load, must not be run as it is.
func TestRestoreSaysWhatIsAmiss(t *testing.T) {
	path, data := initialised(t)
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	put(t, broken, "nickname: c1\n")
	for name, tt := range map[string]struct{ config, data, want string }{
		"as it was":  {path, data, "UTC\nnext: varde-coordinator run --config " + path},
		"elsewhere":  {path, "/srv/varde", "set data: /srv/varde in " + path + " first: it names " + data + "\nnext: "},
		"not loaded": {broken, data, "mend the configuration first:\n" + broken + ":1:"},
	} {
		var out strings.Builder
		r := backup.Report{Data: tt.data, Config: tt.config, Manifest: backup.Manifest{Data: "/var/lib/varde", Written: noon}}
		if err := new(restoreCommand).report(&process{stdout: &out}, r); err != nil || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: got %q, %v, want %q", name, out.String(), err, tt.want)
		}
	}
}
