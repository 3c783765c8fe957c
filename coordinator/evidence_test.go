package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"varde/coordinator/internal/evidence"
	"varde/coordinator/internal/incident"
)

var signer = ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))

func (f *fleet) Evidence(_ context.Context, id string, w io.Writer) error {
	if id != darkID && id != "torn" {
		return errors.New("incident \"" + id + "\": there is no such incident")
	}
	c := evidence.Case{From: noon.Add(-time.Hour), Until: noon, Key: signer, Observations: func(func(evidence.Seen, error) bool) {}}
	c.Incident.Incident = incident.Incident{ID: darkID, Started: noon.Add(-time.Hour), Stage: incident.Investigating}
	if err := evidence.Write(w, c); err != nil || id != "torn" {
		return err
	}
	return errors.New("the archive is gone")
}

// calledWith runs a command line before somebody who looks, or nobody.
func calledWith(t *testing.T, terminal bool, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	p := &process{stdout: &out, stderr: &err, now: func() time.Time { return noon }, terminal: func(io.Writer) bool { return terminal }, signals: unsent}
	code = p.run(t.Context(), args)
	return code, out.String(), err.String()
}

func TestEvidenceIsWritten(t *testing.T) {
	file, data := initialised(t)
	serve(t, data)
	dir := t.TempDir()
	path := filepath.Join(dir, "e.zip")
	ask := func(id string, more ...string) (code int, out, errs string) {
		return calledWith(t, false, append([]string{"evidence", id, "-o", path, "--config", file}, more...)...)
	}
	for id, want := range map[string]string{"x": `evidence: incident "x": there is no such incident`, "torn": `evidence: the coordinator stopped: "the archive is gone"`} {
		if code, out, errs := ask(id); code != 1 || out != "" || errs != "varde-coordinator: "+want+"\n" {
			t.Errorf("%s: exit %d, %q, %q, want 1 and %q", id, code, out, errs, want)
		}
	}
	if left := tree(t, dir); left != "" {
		t.Errorf("left behind: %s", left)
	}
	code, out, errs := ask(darkID)
	if code != 0 || errs != "" || !strings.HasPrefix(out, "wrote "+path+": 8 files, ") || !strings.Contains(out, "\nsha256 ") || !strings.HasSuffix(out, "signed with the key "+hex.EncodeToString(signer[32:])+"\n") {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	written := tree(t, dir)
	if code, out, errs := ask(darkID); code != 1 || out != "" || !strings.HasSuffix(errs, path+" is there already, expected no such file, or --force: nothing was written\n") {
		t.Errorf("over a file: exit %d, %q, %q", code, out, errs)
	}
	if code, _, errs := ask("torn", "--force"); code != 1 || tree(t, dir) != written {
		t.Errorf("one that stops, over a file: exit %d, %q, and the file changed: %v", code, errs, tree(t, dir) != written)
	}
	if code, out, errs := ask(darkID, "--force"); code != 0 || !strings.HasPrefix(out, "wrote ") || errs != "" {
		t.Errorf("with force: exit %d, %q, %q", code, out, errs)
	}
	code, _, errs = calledWith(t, true, "evidence", "write", darkID, "-o", path+"2", "--config", file)
	if code != 0 || !strings.Contains(errs, "writing "+path+"2: 0 MB …") || !strings.HasSuffix(errs, "\r\x1b[K") {
		t.Errorf("on a terminal: exit %d, %q", code, errs)
	}
	if code, _, errs := calledWith(t, false, "evidence", darkID, "-o", "/dev/null/e.zip", "--config", file); code != 1 || !strings.Contains(errs, "/dev/null/e.zip") {
		t.Errorf("where nothing can be: exit %d, %q", code, errs)
	}
}

func TestEvidenceIsVerified(t *testing.T) {
	file, data := initialised(t)
	serve(t, data)
	dir := t.TempDir()
	path := filepath.Join(dir, "e.zip")
	if code, _, errs := calledWith(t, false, "evidence", darkID, "-o", path, "--config", file); code != 0 {
		t.Fatal(errs)
	}
	public := signer.Public().(ed25519.PublicKey)
	digits := hex.EncodeToString(public)
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "hex"), digits+"\n")
	put(t, filepath.Join(dir, "pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	put(t, filepath.Join(dir, "odd"), "ssh-ed25519 AAAA")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "cut.zip"), string(whole[:len(whole)/2]))
	put(t, filepath.Join(dir, "changed.zip"), strings.Replace(string(whole), "README", "READMF", 1))
	for _, x := range []struct {
		file, key string
		code      int
		want      string
	}{
		{"e.zip", "", 0, "is as it was written.\nkey " + digits + "\nauthority "},
		{"e.zip", "", 0, "This proves that nothing changed since somebody with that key wrote it"},
		{"e.zip", digits, 0, "It is signed with the key that was given."},
		{"e.zip", filepath.Join(dir, "hex"), 0, "It is signed with the key that was given."},
		{"e.zip", filepath.Join(dir, "pem"), 0, "  summary.html\n"},
		{"e.zip", strings.Repeat("0", 64), 1, "MANIFEST.sig: signed by the key " + digits},
		{"e.zip", "nope", 2, `--key: got "nope", expected 64 hexadecimal digits or a file: no such file or directory`},
		{"e.zip", filepath.Join(dir, "odd"), 2, "expected 64 hexadecimal digits, or a PEM block PUBLIC KEY with an Ed25519 key"},
		{"cut.zip", "", 1, "evidence verify: " + filepath.Join(dir, "cut.zip") + ": open evidence: "},
		{"none.zip", "", 1, "none.zip: no such file or directory\n"},
	} {
		args := []string{"evidence", "verify", filepath.Join(dir, x.file)}
		if x.key != "" {
			args = append(args, "--key", x.key)
		}
		code, out, errs := calledWith(t, false, args...)
		if code != x.code || !strings.Contains(out+errs, x.want) || code != 0 && (out != "" || strings.Count(errs, "\n") != 1) {
			t.Errorf("%s, key %q: exit %d, %q, %q, want %d and %q", x.file, x.key, code, out, errs, x.code, x.want)
		}
	}
	if code, _, errs := calledWith(t, false, "evidence", "verify", filepath.Join(dir, "changed.zip")); code != 1 || errs == "" {
		t.Errorf("one that was changed: exit %d, %q", code, errs)
	}
}

// TestEvidenceHelp: the exit codes are told, and each command has an example.
func TestEvidenceHelp(t *testing.T) {
	for command, want := range map[string]string{"evidence": "evidence verify", "evidence write": "--force", "evidence verify": "Exit codes: 0"} {
		code, out, _ := call(t, append(strings.Fields(command), "--help")...)
		if code != 0 || !strings.Contains(out, want) || !strings.Contains(out, fmt.Sprintf("\n    varde-coordinator %s ", command)) {
			t.Errorf("%s --help: exit %d, %s", command, code, out)
		}
		for line := range strings.Lines(out) {
			if len(line) > len("\n")+80 {
				t.Errorf("%s --help: a terminal of 80 columns breaks %q", command, line)
			}
		}
	}
}
