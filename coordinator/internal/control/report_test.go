package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/coordinator/internal/report"
)

// Report writes what was asked for, of which two things are missing, or fails.
func (c *coordinator) Report(_ context.Context, want WantedReport, w io.Writer) ([]string, error) {
	switch want.Provider {
	case "unknown":
		return nil, errors.New(`got provider "unknown", expected one of fjord`)
	case "whole":
		_, err := io.WriteString(w, "a\n\nb")
		return []string{}, err
	}
	_, err := fmt.Fprintf(w, "%s\n%+v", strings.Repeat("line\n", 20000), want)
	return []string{"a day\nis missing", "é"}, err
}

func TestReportIsAskedFor(t *testing.T) {
	data, _ := start(t, &coordinator{})
	client := NewClient(data)
	october := report.Month{Year: 2026, Month: time.October}
	for _, want := range []WantedReport{{Month: october, Format: report.HTML}, {Month: october, Format: report.CSV, Provider: "fjord & co", Public: true}} {
		var got bytes.Buffer
		gaps, err := client.Report(t.Context(), want, &got)
		if err != nil || !slices.Equal(gaps, []string{"a day\nis missing", "é"}) {
			t.Errorf("got %q, %v, want what is missing", gaps, err)
		}
		if wanted := strings.Repeat("line\n", 20000) + "\n" + fmt.Sprintf("%+v", want); got.String() != wanted {
			t.Errorf("got %d bytes that end with %.100q, want %d", got.Len(), got.String()[max(0, got.Len()-100):], len(wanted))
		}
	}
	var got bytes.Buffer
	if gaps, err := client.Report(t.Context(), WantedReport{Month: october, Format: report.JSON, Provider: "whole"}, &got); err != nil || len(gaps) != 0 || got.String() != "a\n\nb" {
		t.Errorf("got %q, %q, %v", gaps, got.String(), err)
	}
	got.Reset()
	if _, err := client.Report(t.Context(), WantedReport{Month: october, Format: report.JSON, Provider: "unknown"}, &got); err == nil || err.Error() != `got provider "unknown", expected one of fjord` || got.Len() > 0 {
		t.Errorf("got %q, %v, want the coordinator's own error and nothing written", got.String(), err)
	}
	if _, err := client.Report(t.Context(), WantedReport{Month: october, Format: "pdf"}, &got); err == nil || !strings.Contains(err.Error(), `got format "pdf", expected one of html, json, csv`) {
		t.Errorf("got %v, want what is expected", err)
	}
}
