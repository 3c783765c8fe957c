package varde_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde"
)

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shown bytes.Buffer
		p := varde.NewProgress(&shown, func(io.Writer) bool { return true }, "reading x")
		p.At(0, 0)
		for done := range int64(1000) {
			p.At(done, 1000)
			time.Sleep(10 * time.Millisecond)
		}
		p.End()
		lines := strings.Split(shown.String(), "\r\x1b[K")
		if n := len(lines); n != 102 || lines[0] != "" || lines[n-1] != "" {
			t.Fatalf("got %d lines, want one for each tenth of a second, and the last taken back", n)
		}
		if want := "reading x  [###...........................]  10 %, 9s left"; lines[11] != want {
			t.Errorf("got %q, want %q", lines[11], want)
		}
	})
}

func TestProgressIsForTerminals(t *testing.T) {
	var shown bytes.Buffer
	p := varde.NewProgress(&shown, func(io.Writer) bool { return false }, "reading x")
	p.At(1, 2)
	p.End()
	if shown.Len() > 0 {
		t.Errorf("got %q, want nothing", shown.String())
	}
}
