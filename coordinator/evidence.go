package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"varde"
	"varde/coordinator/internal/evidence"
	"varde/coordinator/internal/graph"
)

type evidenceCommands struct {
	Write  evidenceCommand       `cmd:"" default:"withargs" help:"Write all that was measured in an incident to one file."`
	Verify evidenceVerifyCommand `cmd:"" help:"Say whether such a file is as it was written."`
}

// Help shows examples.
func (evidenceCommands) Help() string {
	return `Examples:

  varde-coordinator evidence 2026-11-22-imap-4k7qx -o imap.zip
  varde-coordinator evidence verify imap.zip --key coordinator.pub`
}

type evidenceCommand struct {
	configFlag
	Incident string `arg:"" help:"The id of the incident."`
	Output   string `short:"o" help:"The file to write, a ZIP." required:"" placeholder:"FILE"`
	Force    bool   `help:"Write over a file that is there."`
}

// Help says what is in the file.
func (evidenceCommand) Help() string {
	return `The file holds a summary to read, every observation of the incident's checks from an hour before it to an hour after, the verdicts with their reasons, the account with people's notes, the certificates and addresses that were seen, the probes with their clocks, and a manifest of SHA-256 sums that this coordinator signs. No password is in it. README.txt in it says what each file is.

What is older than retention.evidence is gone.

Example:

  varde-coordinator evidence write 2026-11-22-imap-4k7qx -o imap.zip`
}

// Run writes the file whole or not at all.
func (c *evidenceCommand) Run(ctx context.Context, p *process) error {
	ctx, release := p.stoppable(ctx)
	defer release()
	client, err := c.client()
	if err != nil {
		return err
	}
	var report evidence.Report
	verify := func(f io.ReaderAt, size int64) (err error) { report, err = evidence.Verify(f, size, nil); return err }
	got, err := p.download(c.Output, c.Force, func(w io.Writer) error { return client.Evidence(ctx, c.Incident, w) }, verify)
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "wrote %s: %s, %s\nsha256 %x\nsigned with the key %s\n", clean(c.Output),
		graph.Count(len(report.Files), "file"), graph.Count(int(got.bytes), "byte"), got.sum.Sum(nil), report.Key)
	return err
}

type evidenceVerifyCommand struct {
	File string `arg:"" help:"The file that was handed over."`
	Key  string `help:"The coordinator's public key: 64 hexadecimal digits, or a file with them or with a PEM public key." placeholder:"FILE|HEX"`
}

// Help says what is proved, and the exit codes.
func (evidenceVerifyCommand) Help() string {
	return `Needs no coordinator and no network. Every file must be listed in the manifest and be as it was, nothing else may be there, and the signature must be right.

With --key it must be that key's: take it from the operators of the coordinator, on another way than the file. Without, the file is only known not to have changed since somebody with the key that it names wrote it.

Examples:

  varde-coordinator evidence verify imap.zip --key coordinator.pub
  varde-coordinator evidence verify imap.zip

Exit codes: 0 it is as it was written, 1 it is not, or it cannot be read, 2 wrong usage.`
}

// Run verifies the file and says what that proves.
func (c *evidenceVerifyCommand) Run(p *process) error {
	key, err := publicKey(c.Key)
	if err != nil {
		return varde.Misuse(fmt.Errorf("evidence verify: --key: %w", err))
	}
	progress := varde.NewProgress(p.stderr, p.terminal, "reading "+clean(c.File))
	report, err := verifyFile(c.File, key, progress.At)
	progress.End()
	if err != nil {
		return fmt.Errorf("evidence verify: %s: %w", clean(c.File), err)
	}
	for _, f := range report.Files {
		if _, err := fmt.Fprintf(p.stdout, "%s  %s\n", f.SHA256, clean(f.Name)); err != nil {
			return err
		}
	}
	proof := "It is signed with the key that was given."
	if !report.Trusted {
		proof = "This proves that nothing changed since somebody with that key wrote it, and not who that was: ask the operators for their key and give it with --key."
	}
	_, err = fmt.Fprintf(p.stdout, "%s is as it was written.\nkey %s\nauthority %s\n%s\n", clean(c.File), report.Key, report.Authority, proof)
	return err
}

// verifyFile verifies a file; at is told how much of it was read.
func verifyFile(path string, key ed25519.PublicKey, at func(done, all int64)) (evidence.Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return evidence.Report{}, unwrapped(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return evidence.Report{}, unwrapped(err)
	}
	return evidence.Verify(&watched{r: f, all: info.Size(), at: at}, info.Size(), key)
}

// unwrapped is an error without the name of the file, which whoever tells it names.
func unwrapped(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// watched is a file that is read once from its beginning to its end, more or less.
type watched struct {
	r         io.ReaderAt
	done, all int64
	at        func(done, all int64)
}

// ReadAt reads on.
func (w *watched) ReadAt(b []byte, off int64) (int, error) {
	n, err := w.r.ReadAt(b, off)
	w.done += int64(n)
	w.at(w.done, w.all)
	return n, err
}

// maxKey is the largest file of a key, in bytes.
const maxKey = 4 << 10

// publicKey reads an Ed25519 key as digits or as the name of a file; nil of nothing.
func publicKey(given string) (ed25519.PublicKey, error) {
	if given == "" {
		return nil, nil
	}
	if key, ok := keyOf(given); ok {
		return key, nil
	}
	f, err := os.Open(given)
	if err != nil {
		return nil, fmt.Errorf("got %.100q, expected 64 hexadecimal digits or a file: %w", given, unwrapped(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKey))
	if err != nil {
		return nil, err
	}
	if key, ok := keyOf(strings.TrimSpace(string(text))); ok {
		return key, nil
	}
	if block, _ := pem.Decode(text); block != nil && block.Type == "PUBLIC KEY" {
		if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
			if key, ok := key.(ed25519.PublicKey); ok {
				return key, nil
			}
		}
	}
	return nil, fmt.Errorf("%s: expected 64 hexadecimal digits, or a PEM block PUBLIC KEY with an Ed25519 key", given)
}

// keyOf reads a key of hexadecimal digits.
func keyOf(digits string) (ed25519.PublicKey, bool) {
	b, err := hex.DecodeString(digits)
	return b, err == nil && len(b) == ed25519.PublicKeySize
}
