package backup

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server/ats"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

func TestMain(m *testing.M) {
	ats.Register()
	os.Exit(m.Run())
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// home is a coordinator's data folder with a configuration beside it.
type home struct {
	dir, data, config, secret string
	journal                   *journal.Journal
	history                   *history.Store
}

// source is the journal as a history reads it, which in these tests it does not.
type source struct{ *journal.Journal }

func (source) Follow(context.Context, uint64, func(history.Entry) error) error { return nil }

func (source) Read(context.Context, uint64, uint64, func(history.Entry) error) error { return nil }

func newHome(t *testing.T) *home {
	t.Helper()
	dir := t.TempDir()
	h := &home{dir: dir, data: filepath.Join(dir, "data"), config: filepath.Join(dir, "etc/coordinator.yaml"), secret: filepath.Join(dir, "etc/secrets/probe")}
	for path, content := range map[string]string{
		h.config: "name: c1\n", h.secret: "battery staple\n", filepath.Join(h.data, "ca.key"): "key",
		filepath.Join(h.data, "reports/2026-10.csv"): "a,b\n", filepath.Join(h.data, "before-20260101T000000Z/ca.key"): "old", filepath.Join(h.data, "backup.tmp/x.db"): "left",
	} {
		put(t, path, content)
	}
	var err error
	if h.journal, err = journal.Open(t.Context(), journal.Options{Dir: filepath.Join(h.data, "journal"), NoSync: true, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	h.history, err = history.Open(history.Options{
		Dir: filepath.Join(h.data, "history"), Source: source{h.journal}, Config: func() *history.Config { return &history.Config{} }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(h.history.Close(), h.journal.Close()); err != nil {
			t.Error(err)
		}
	})
	b, err := h.journal.Bucket(t.Context(), "roster")
	if err == nil {
		_, err = b.Put(t.Context(), "osl-1", []byte("probe"), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.append(t, 1)
	return h
}

func (h *home) append(t *testing.T, seq uint64) {
	t.Helper()
	b := wire.Batch{Epoch: "e1", Received: noon, Records: []wire.Record{{Observation: checks.Observation{
		Check: "imap", Service: "imap", Family: checks.IPv4, Seq: seq, Scheduled: noon, Started: noon, Every: time.Minute, Result: checks.Result{Outcome: checks.Up},
	}}}}
	b.Attribute("osl-1", "eu-north", "")
	if _, err := h.journal.Append(t.Context(), []wire.Batch{b}); err != nil {
		t.Fatal(err)
	}
}

func (h *home) source() Source {
	return Source{Coordinator: "c1", Version: "0.2.0", Written: noon, Data: h.data, Config: []string{h.config, h.secret}, Journal: h.journal, History: h.history}
}

// backup is the backup of a home.
func (h *home) backup(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(t.Context(), &b, h.source()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// tree is what lies under a folder: the content of small files, and the names of those
// of the journal and the history.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(at string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, at)
		if err != nil || strings.Contains("/"+name, "/journal/") {
			return err
		}
		b, err := os.ReadFile(at)
		if strings.HasSuffix(name, ".db") {
			b = nil
		}
		out[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func options(file []byte, data string) Options {
	return Options{File: bytes.NewReader(file), Size: int64(len(file)), Data: data, Now: noon, Logger: slog.New(slog.DiscardHandler)}
}

// TestRestore: on another machine everything is where it was, and what does not belong
// to the coordinator is not.
func TestRestore(t *testing.T) {
	h := newHome(t)
	file := h.backup(t)
	h.append(t, 2) // it goes on
	if err := os.RemoveAll(filepath.Dir(h.config)); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "new/data")
	var done, all int64
	o := options(file, data)
	o.Progress = func(d, a int64) { done, all = d, a }
	r, err := Restore(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{h.config, h.secret}, r.Written); diff != "" || r.Kept != nil || r.Aside != "" || r.Data != data || r.Config != h.config {
		t.Errorf("report %+v (-want +got):\n%s", r, diff)
	}
	if done != all || all != 2*r.Manifest.Bytes() {
		t.Errorf("progress ended at %d of %d, want all of %d", done, all, 2*r.Manifest.Bytes())
	}
	got := tree(t, data)
	if plan := got["plan.json"]; !strings.Contains(plan, fmt.Sprintf(`"generation":%d`, noon.Unix())) {
		t.Errorf("plan %q, want a new generation", plan)
	}
	delete(got, "plan.json")
	if diff := cmp.Diff(map[string]string{"ca.key": "key", "reports/2026-10.csv": "a,b\n", "history/history.db": ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"coordinator.yaml": "name: c1\n", "secrets/probe": "battery staple\n"}, tree(t, filepath.Dir(h.config))); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	j, err := journal.Open(t.Context(), journal.Options{Dir: filepath.Join(data, "journal"), NoSync: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := j.Bucket(t.Context(), "roster")
	if err != nil {
		t.Fatal(err)
	}
	if v, _, err := b.Get(t.Context(), "osl-1"); string(v) != "probe" || err != nil {
		t.Errorf("roster holds %q, %v", v, err)
	}
	if first, last := j.Bounds(); first != 1 || last != 1 {
		t.Errorf("journal holds %d to %d, want the one message of the backup", first, last)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// TestRestoreKeepsWhatIsThere: nothing is written over without being asked, and nothing
// is deleted.
func TestRestoreKeepsWhatIsThere(t *testing.T) {
	h := newHome(t)
	file := h.backup(t)
	put(t, h.config, "name: mine\n")
	data, config := t.TempDir(), filepath.Join(t.TempDir(), "varde.yaml")
	put(t, filepath.Join(data, "ca.key"), "another fleet")
	before := tree(t, data)
	if _, err := Restore(t.Context(), options(file, data)); err == nil || !strings.Contains(err.Error(), data+" is not empty") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, tree(t, data)); diff != "" {
		t.Errorf("refused, and changed (-before +after):\n%s", diff)
	}
	o := options(file, data)
	o.Replace = true
	r, err := Restore(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{h.config}, r.Kept); diff != "" || r.Written != nil {
		t.Errorf("report %+v (-want +got):\n%s", r, diff)
	}
	got := tree(t, data)
	if got["ca.key"] != "key" || got["before-20261122T120000Z/ca.key"] != "another fleet" || r.Aside != filepath.Join(data, "before-20261122T120000Z") {
		t.Errorf("got %q, aside %s", got, r.Aside)
	}
	o.Config, o.Now = config, noon.Add(time.Second)
	if r, err = Restore(t.Context(), o); err != nil || !cmp.Equal(r.Written, []string{config, filepath.Join(filepath.Dir(config), "secrets/probe")}) || r.Config != config || r.Kept != nil {
		t.Errorf("another place for the configuration: %+v, %v", r, err)
	}
	o.Data = h.data
	if _, err := Restore(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is used by another process") {
		t.Errorf("over a coordinator that runs: %v", err)
	}
}

// TestDamagedBackups are refused before anything is changed, whatever of them is damaged.
func TestDamagedBackups(t *testing.T) {
	h := newHome(t)
	file := h.backup(t)
	data := t.TempDir()
	put(t, filepath.Join(data, "ca.key"), "another fleet")
	before := tree(t, data)
	try := func(name string, bad []byte, want string) {
		t.Helper()
		o := options(bad, data)
		o.Replace = true
		if _, err := Restore(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if diff := cmp.Diff(before, tree(t, data)); diff != "" {
			t.Fatalf("%s changed something (-before +after):\n%s", name, diff)
		}
	}
	for i := 0; i < len(file)-1; i += len(file) / 60 {
		changed := bytes.Clone(file)
		changed[i] ^= 0x55
		if !sameFiles(t, file, changed) {
			try(fmt.Sprint("byte ", i), changed, "")
		}
	}
	try("cut", file[:len(file)-100], "it is no backup, or not whole")
	try("empty", nil, "it is no backup, or not whole")
	for name, c := range map[string]struct {
		change func(files map[string]string)
		want   string
	}{
		"no manifest":   {func(f map[string]string) { delete(f, manifestName) }, manifestName},
		"missing":       {func(f map[string]string) { delete(f, "data/ca.key") }, `"data/ca.key" is missing`},
		"more":          {func(f map[string]string) { f["data/x"] = "x" }, `"data/x" has 1 bytes, and is not listed so`},
		"other content": {func(f map[string]string) { f["data/ca.key"] = "yek" }, "read data/ca.key: SHA-256 is "},
		"later format":  {func(f map[string]string) { swap(f, `"format": 1`, `"format": 2`) }, "format 2, expected 1: written by another version"},
		"upwards":       {func(f map[string]string) { rename(f, "data/ca.key", "data/../../ca.key") }, "cannot be the name of a file of a backup"},
		"absolute":      {func(f map[string]string) { rename(f, "data/ca.key", "data//etc/passwd") }, "cannot be the name of a file of a backup"},
		"elsewhere":     {func(f map[string]string) { rename(f, "data/ca.key", "etc/passwd") }, "is not where a file of a backup is"},
		"other part":    {func(f map[string]string) { rename(f, "journal/JOURNAL", "journal/OTHER") }, "is not where a file of a backup is"},
		"relative path": {func(f map[string]string) { swap(f, h.config, "etc/x.yaml") }, "is not where a file of a backup is"},
		"doubled":       {func(f map[string]string) { swap(f, `"files": [`, `"files": [{"name":"data/ca.key","bytes":3},`) }, "is listed twice"},
	} {
		files := unpack(t, file)
		c.change(files)
		try(name, pack(t, files), c.want)
	}
	stopped, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped by a person"))
	o := options(file, data)
	o.Replace = true
	if _, err := Restore(stopped, o); err == nil || !strings.Contains(err.Error(), "stopped by a person") {
		t.Errorf("stopped: %v", err)
	}
}

// TestDamagedHistory: a database that is not whole is no history, though its sum is right.
func TestDamagedHistory(t *testing.T) {
	h := newHome(t)
	s := h.source()
	s.History = torn{h.history}
	var b bytes.Buffer
	if err := Write(t.Context(), &b, s); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	if _, err := Restore(t.Context(), options(b.Bytes(), data)); err == nil || !strings.Contains(err.Error(), "verify history.db") {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(data); len(left) > 0 || err != nil {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestRestorationKeepsCoordinatorsOut also of a folder in which nothing was.
func TestRestorationKeepsCoordinatorsOut(t *testing.T) {
	data := t.TempDir()
	o := options(newHome(t).backup(t), data)
	begun := false
	o.Progress = func(done, all int64) {
		if done <= all/2 || begun { // it is verified first
			return
		}
		begun = true
		if unlock, err := journal.Lock(filepath.Join(data, "journal")); err == nil {
			t.Error("a coordinator could begin in the folder meanwhile")
			_ = unlock()
		}
	}
	if _, err := Restore(t.Context(), o); err != nil || !begun {
		t.Errorf("got %v, begun %t", err, begun)
	}
}

// TestRestoredConfiguration stands where it can be read, by whom it could be read: what
// it names by a path from its own folder goes with it, and what it names by its whole
// path stays.
func TestRestoredConfiguration(t *testing.T) {
	h := newHome(t)
	whole := filepath.Join(h.dir, "etc/secrets/whole")
	put(t, h.config, "secret: secrets/probe\nother: "+whole+"\n")
	put(t, whole, "horse")
	if err := errors.Join(os.Chmod(h.config, 0o644), os.Chmod(h.secret, 0o640)); err != nil {
		t.Fatal(err)
	}
	s := h.source()
	s.Config = append(s.Config, whole)
	var file bytes.Buffer
	if err := errors.Join(Write(t.Context(), &file, s), os.RemoveAll(filepath.Dir(h.config))); err != nil {
		t.Fatal(err)
	}
	o := options(file.Bytes(), t.TempDir())
	o.Config = filepath.Join(t.TempDir(), "a/b/varde.yaml")
	owner := os.Geteuid()
	if owner == 0 { // only root may give files away
		owner = 4711
		if err := os.Chown(o.Data, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Restore(t.Context(), o)
	beside := filepath.Join(filepath.Dir(o.Config), "secrets/probe")
	if diff := cmp.Diff([]string{o.Config, beside, whole}, r.Written); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	for path, mode := range map[string]os.FileMode{
		o.Config: 0o644, beside: 0o640, whole: 0o600, filepath.Dir(beside): 0o700 | os.ModeDir, filepath.Dir(filepath.Dir(o.Config)): 0o700 | os.ModeDir,
		filepath.Join(o.Data, "ca.key"): 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; info.Mode() != mode || int(uid) != owner {
			t.Errorf("%s has mode %v and belongs to %d, expected %v and %d", path, info.Mode(), uid, mode, owner)
		}
	}
}

// torn copies half of every file.
type torn struct{ *history.Store }

func (s torn) Copy(ctx context.Context, temp string, fn func(name, path string) error) error {
	return s.Store.Copy(ctx, temp, func(name, path string) error {
		if err := os.Truncate(path, 20_000); err != nil {
			return err
		}
		return fn(name, path)
	})
}

// TestWriteFails leaves nothing behind.
func TestWriteFails(t *testing.T) {
	h := newHome(t)
	r, w := io.Pipe()
	full := errors.New("disk full")
	if err := r.CloseWithError(full); err != nil {
		t.Fatal(err)
	}
	if err := Write(t.Context(), w, h.source()); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
	s := h.source()
	s.Config = append(s.Config, filepath.Join(h.dir, "none"))
	if err := Write(t.Context(), io.Discard, s); err == nil || !strings.Contains(err.Error(), "none: no such file") {
		t.Errorf("got %v", err)
	}
	_ = h.backup(t)
	if _, err := os.Stat(filepath.Join(h.data, temp)); err == nil {
		t.Error("the folder for copies was left")
	}
}

// sameFiles says whether two backups hold the same, as what lies between files in a ZIP
// means nothing.
func sameFiles(t *testing.T, a, b []byte) bool {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return false
	}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			return false
		}
		if _, err := io.Copy(io.Discard, in); err != nil {
			return false
		}
	}
	return cmp.Equal(unpack(t, a), unpack(t, b))
}

func unpack(t *testing.T, file []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(b)
	}
	return out
}

func pack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func swap(files map[string]string, from, to string) {
	files[manifestName] = strings.ReplaceAll(files[manifestName], from, to)
}

func rename(files map[string]string, from, to string) {
	files[to] = files[from]
	delete(files, from)
	swap(files, `"name": "`+from+`"`, `"name": "`+to+`"`)
}
