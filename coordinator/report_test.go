package main

import (
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

	"varde/coordinator/internal/config"
	"varde/coordinator/internal/control"
	"varde/coordinator/internal/report"
)

// Report writes what was asked for; of November, which is not over, much is missing.
func (f *fleet) Report(_ context.Context, want control.WantedReport, w io.Writer) ([]string, error) {
	if want.Provider == "berg" {
		return nil, errors.New(`got provider "berg", expected one of fjord`)
	}
	var gaps []string
	if want.Month.String() == "2026-11" {
		gaps = append(gaps, "November 2026 is not over\x1b[31m.")
		for i := range 11 {
			gaps = append(gaps, fmt.Sprintf("gap %d.", i))
		}
	}
	_, err := fmt.Fprintf(w, "%s %s %q %t", want.Month, want.Format, want.Provider, want.Public)
	return gaps, err
}

func TestReport(t *testing.T) {
	config, data := initialised(t)
	serve(t, data)
	ask := func(args ...string) (code int, out, errs string) {
		return calledWith(t, false, append([]string{"report", "--config", config}, args...)...)
	}
	for args, want := range map[string]string{
		"":                                       `2026-10 html "" false`, // the last month that is over on 22 November
		"--month 2026-02":                        `2026-02 html "" false`,
		"--format csv":                           `2026-10 csv "" false`,
		"--provider fjord":                       `2026-10 html "fjord" false`,
		"--public --format=json --month=2026-01": `2026-01 json "" true`,
	} {
		if code, out, errs := ask(strings.Fields(args)...); code != 0 || out != want || errs != "" {
			t.Errorf("%s: exit %d, %q, %q, want %q", args, code, out, errs, want)
		}
	}
	code, out, errs := ask("--month", "2026-11")
	if code != 0 || out != `2026-11 html "" false` || !strings.HasPrefix(errs, "November 2026 is not over?[31m.\ngap 0.\n") || !strings.HasSuffix(errs, "gap 8.\n2 lines more under \"What is missing\" in the report.\n") {
		t.Errorf("a month that is not over: exit %d, %q, %q", code, out, errs)
	}
	for name, want := range map[string]string{"october.csv": `2026-10 csv "" false`, "october.json": `2026-10 json "" false`, "october": `2026-10 html "" false`} {
		path := filepath.Join(t.TempDir(), name)
		code, out, errs := ask("-o", path)
		if want := fmt.Sprintf("wrote %s: October 2026, %d bytes\n", path, len(want)); code != 0 || out != want || errs != "" {
			t.Errorf("%s: exit %d, %q, %q, want %q", name, code, out, errs, want)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("%s holds %q, %v, want %q", name, b, err, want)
		}
		if code, _, errs := ask("-o", path); code != 1 || !strings.Contains(errs, "is there already, expected no such file, or --force") {
			t.Errorf("%s again: exit %d, %q", name, code, errs)
		}
	}
}

func TestReportRefuses(t *testing.T) {
	config, data := initialised(t)
	serve(t, data)
	path := filepath.Join(t.TempDir(), "x.html")
	for args, want := range map[string]struct {
		code int
		errs string
	}{
		"--month october":                {2, `report: --month: got month "october", expected one such as 2026-10`},
		"--month 2026-12":                {2, "report: --month: got month 2026-12, which has not begun, expected one up to 2026-11"},
		"--format pdf":                   {2, `report: --format: got format "pdf", expected one of html, json, csv`},
		"--provider berg -o " + path:     {1, `report: got provider "berg", expected one of fjord`},
		"--month 2026-10 -o /none/x.csv": {1, "/none/x.csv"},
	} {
		code, out, errs := calledWith(t, false, append([]string{"report", "--config", config}, strings.Fields(args)...)...)
		if code != want.code || out != "" || !strings.Contains(errs, want.errs) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit %d, %q, %q, want %d and %q", args, code, out, errs, want.code, want.errs)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was written of a report that there is not")
	}
}

// TestReportOfARunningCoordinator writes a month that is not over with a real one: the
// command, its socket, the coordinator and a file.
func TestReportOfARunningCoordinator(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	put(t, file, "data: data\nadvertise: [\"127.0.0.1:7950\"]\nlisten: {grpc: \"127.0.0.1:0\", public: \"127.0.0.1:0\", ops: \"127.0.0.1:0\"}\n"+
		"regions: [{id: eu, name: Europe}]\nservices: [{id: imap, name: IMAP, slo: 99.9, consent: true}]\n"+
		"checks: [{id: imap, service: imap, kind: imap, url: \"imaps://mail.example.net\", every: 30s}]\n")
	var log bytes.Buffer
	signals, ended, begun := make(chan os.Signal), make(chan int, 1), make(chan struct{})
	p := &process{stdout: &log, stderr: &log, signals: func() <-chan os.Signal { return signals }, now: time.Now, start: func(path string, c config.Config, l *slog.Logger) (coordinator, error) {
		s, err := start(path, c, l)
		close(begun)
		return s, err
	}}
	go func() { ended <- p.run(t.Context(), []string{"--log-level", "error", "run", "--config", file}) }()
	<-begun
	ask := func(args ...string) (code int, stdout, stderr string) {
		var out, errs bytes.Buffer
		p := &process{stdout: &out, stderr: &errs, now: time.Now, terminal: func(io.Writer) bool { return false }, signals: unsent}
		code = p.run(t.Context(), append([]string{"report", "--config", file}, args...))
		return code, out.String(), errs.String()
	}
	month := report.MonthOf(time.Now())
	path := filepath.Join(dir, "month.html")
	var code int
	var errs string
	for until := time.Now().Add(20 * time.Second); ; { // the socket is bound a moment after the start
		code, _, errs = ask("--month", month.String(), "-o", path)
		if !strings.Contains(errs, "no coordinator runs") || time.Now().After(until) {
			break
		}
	}
	page, err := os.ReadFile(path)
	if code != 0 || err != nil || !strings.Contains(errs, month.Name()+" is not over") || !strings.Contains(errs, "IMAP was not measured.") {
		t.Errorf("exit %d, %q, %v, want what is missing", code, errs, err)
	}
	for _, words := range []string{"<p class=\"month\">" + month.Name(), "0 of 1 objective kept, too little known of 1 so far.", "It is not known how well IMAP could be reached."} {
		if !strings.Contains(string(page), words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	if code, out, _ := ask("--month", month.String(), "--format", "csv"); code != 0 || !strings.Contains(out, "\r\n"+month.String()+",imap,,0.999,unknown,,,,0,insufficient data,") {
		t.Errorf("exit %d, %q", code, out)
	}
	if code, out, errs := ask("--month", "2020-01"); code != 1 || out != "" || !strings.Contains(errs, "got month 2020-01, expected one from "+month.String()+" on, in which this coordinator was made") {
		t.Errorf("before its time: exit %d, %q, %q", code, out, errs)
	}
	signals <- syscall.SIGTERM
	if code := <-ended; code != 0 {
		t.Errorf("the coordinator ended with %d: %s", code, log.String())
	}
}
