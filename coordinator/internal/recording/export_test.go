package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

// TestExportIsARecording: what is exported of a journal is what replay reads of it, and
// a window and a name restrict it.
func TestExportIsARecording(t *testing.T) {
	data := t.TempDir()
	j, err := journal.Open(t.Context(), journal.Options{Dir: filepath.Join(data, "journal"), NoSync: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now().UTC().Add(-time.Hour).Truncate(time.Second)
	for i := range uint64(3) {
		b := wire.Batch{Probe: "osl-1", Region: "eu-north", Epoch: "e1", Received: time.Now(), ClockKnown: true, ClockOffset: 10 * time.Second}
		for k := range uint64(1000) {
			o := observation(int(1000*i + k))
			o.Seq, o.Scheduled = 1000*i+k+1, began.Add(10*time.Second+time.Duration(1000*i+k)*100*time.Millisecond)
			o.Started = o.Scheduled
			b.Records = append(b.Records, wire.Record{Observation: o})
		}
		if _, err := j.Append(t.Context(), []wire.Batch{b}); err != nil {
			t.Fatal(err)
		}
	}
	exported := func(want Wanted) []byte {
		t.Helper()
		var out bytes.Buffer
		if err := Export(t.Context(), j, want, &out); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	path := filepath.Join(t.TempDir(), "r.jsonl")
	if err := os.WriteFile(path, exported(Wanted{}), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, n := range map[Wanted]int{
		{}: 3000, {Check: "imap-login", Service: "imap", Probe: "osl-1", Region: "eu-north"}: 3000, {Check: "other"}: 0, {Service: "other"}: 0, {Probe: "other"}: 0, {Region: "other"}: 0,
		{From: began.Add(100*time.Second + 83*time.Millisecond)}: 2000, {To: began.Add(100*time.Second + 83*time.Millisecond)}: 1000,
		{From: began.Add(100 * time.Second), To: began.Add(101 * time.Second)}: 10, {From: time.Now().Add(time.Hour)}: 0,
	} {
		if got := bytes.Count(exported(want), []byte("\n")); got != n {
			t.Errorf("%+v: got %d, want %d", want, got, n)
		}
	}
	if err := Export(t.Context(), j, Wanted{}, failing{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a full disk: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	var both [2][]checks.Observation
	for i, path := range []string{path, data} {
		source, err := At(Options{Path: path, Names: []Names{names()}})
		if err != nil {
			t.Fatal(err)
		}
		if both[i], err = read(source); err != nil {
			t.Fatal(err)
		}
	}
	if text := [2]string{texts(t, both[0]), texts(t, both[1])}; len(both[0]) != 3000 || text[0] != text[1] {
		t.Errorf("(-journal +export):\n%s", cmp.Diff(text[1], text[0]))
	}
}

// texts are observations in the form that the outside holds on to.
func texts(t *testing.T, list []checks.Observation) string {
	t.Helper()
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
