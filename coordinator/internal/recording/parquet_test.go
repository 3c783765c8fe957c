package recording_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"varde/checks"
	"varde/coordinator/internal/recording"
)

// parquetRow is what somebody reads who knows nothing of this program.
type parquetRow struct {
	Check       string    `parquet:"check"`
	Probe       string    `parquet:"probe"`
	Region      string    `parquet:"region"`
	Family      string    `parquet:"family"`
	Seq         uint64    `parquet:"seq"`
	Trigger     string    `parquet:"trigger"`
	Scheduled   time.Time `parquet:"scheduled"`
	Started     time.Time `parquet:"started"`
	EveryS      *float64  `parquet:"every_s"`
	ElapsedMS   float64   `parquet:"elapsed_ms"`
	Outcome     string    `parquet:"outcome"`
	FailedPhase *string   `parquet:"failed_phase"`
	Class       *string   `parquet:"class"`
	ConnectMS   *float64  `parquet:"connect_ms"`
	TLSMS       *float64  `parquet:"tls_ms"`
	AuthMS      *float64  `parquet:"auth_ms"`
}

// TestParquetIsTheJSON: a row says what the JSON form says.
func TestParquetIsTheJSON(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 2_000_001, time.UTC)
	list := []checks.Observation{
		{
			Check: "imap-login", Service: "imap", Probe: "osl-1", Region: "eu-north", Family: checks.IPv4, Epoch: "e1", Seq: 1<<63 + 1, Scheduled: at, Started: at.Add(time.Microsecond), Every: 30 * time.Second,
			Result: checks.Result{Outcome: checks.Up, Address: "192.0.2.25:993", Elapsed: 83*time.Millisecond + 149*time.Microsecond, Phases: []checks.PhaseTiming{{Name: checks.Connect, Duration: 22 * time.Millisecond}, {Name: checks.TLS, Duration: 61 * time.Millisecond}}},
		},
		{
			Check: "imap-login", Service: "imap", Probe: "syd-1", Region: "oceania", Family: checks.IPv6, Epoch: "e1", Seq: 2, Trigger: checks.Confirm, Scheduled: at, Started: at,
			Result: checks.Result{Outcome: checks.Down, FailedPhase: checks.Connect, Class: checks.ConnectTimeout, Detail: "no answer", Phases: []checks.PhaseTiming{{Name: checks.Connect, Duration: 5 * time.Second}}},
		},
	}
	var b bytes.Buffer
	p := recording.NewParquet(&b)
	for _, o := range list {
		if err := p.Write(o); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	r := parquet.NewGenericReader[parquetRow](bytes.NewReader(b.Bytes()))
	rows := make([]parquetRow, 3)
	n, err := r.Read(rows)
	if n != len(list) || !errors.Is(err, io.EOF) {
		t.Fatalf("%d rows, %v, want %d", n, err, len(list))
	}
	for i, o := range list {
		var want checks.ObservationJSON
		text, err := json.Marshal(o)
		if err == nil {
			err = json.Unmarshal(text, &want)
		}
		if err != nil {
			t.Fatal(err)
		}
		got := rows[i]
		if diff := cmp.Diff(parquetRow{
			Check: want.Check, Probe: want.Probe, Region: want.Region, Family: want.Family.String(), Seq: want.Seq, Trigger: want.Trigger.String(),
			Scheduled: want.Scheduled, Started: want.Started, EveryS: want.EveryS, ElapsedMS: want.ElapsedMS, Outcome: want.Outcome.String(),
			FailedPhase: given(string(want.FailedPhase)), Class: given(string(want.Class)), ConnectMS: took(want, checks.Connect), TLSMS: took(want, checks.TLS), AuthMS: took(want, checks.Auth),
		}, got); diff != "" {
			t.Errorf("row %d (-json +parquet):\n%s", i, diff)
		}
	}
}

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func took(o checks.ObservationJSON, phase checks.Phase) *float64 {
	for _, p := range o.Phases {
		if p.Name == phase {
			return &p.MS
		}
	}
	return nil
}
