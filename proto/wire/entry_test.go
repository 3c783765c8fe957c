package wire_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"varde/checks"
	"varde/proto/wire"
)

// alike fails unless an entry is read in both ways as the same thing.
func alike(t interface {
	Helper()
	Fatalf(string, ...any)
}, data []byte,
) {
	t.Helper()
	got, err := wire.UnmarshalEntry(data)
	want, other := wire.ReadEntry(data)
	if (err == nil) != (other == nil) || err != nil && err.Error() != other.Error() {
		t.Fatalf("got %v, in the general way %v", err, other)
	}
	if diff := cmp.Diff(want, got); err == nil && diff != "" {
		t.Fatalf("read otherwise in the general way (-general +got)\n%s", diff)
	}
}

// TestEntriesAreReadDirectly: what MarshalEntry writes of observations is read straight
// and as in the general way, whatever bytes of it are changed.
func TestEntriesAreReadDirectly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var batches []wire.Batch
		for range rapid.IntRange(1, 3).Draw(t, "batches") {
			batches = append(batches, drawBatch(t))
		}
		data, err := wire.MarshalEntry(batches)
		if err != nil {
			t.Fatal(err)
		}
		alike(t, data)
		plain := true
		for _, b := range batches {
			plain = plain && b.ClockOffset.Abs() < 365*24*time.Hour
			for _, r := range b.Records {
				plain = plain && r.IsObservation() && r.Observation.Elapsed < 365*24*time.Hour && r.Observation.Every < 365*24*time.Hour
			}
		}
		if _, ok := wire.ReadDirectly(data); plain && !ok {
			t.Fatalf("%x is not read directly", data)
		}
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			data[rapid.IntRange(0, len(data)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		alike(t, data)
	})
}

// TestEntriesShareMemory: entries that are read into the memory of those before, whatever
// was in them, are those that are read alone.
func TestEntriesShareMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var entries wire.Entries
		for range rapid.IntRange(1, 6).Draw(t, "entries") {
			var batches []wire.Batch
			for range rapid.IntRange(1, 3).Draw(t, "batches") {
				batches = append(batches, drawBatch(t))
			}
			data, err := wire.MarshalEntry(batches)
			if err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "cut") { // which leaves half an entry behind
				data = data[:len(data)/2]
			}
			got, err := entries.Read(data)
			want, other := wire.UnmarshalEntry(data)
			if (err == nil) != (other == nil) {
				t.Fatalf("got %v, alone %v", err, other)
			}
			if diff := cmp.Diff(want, got); err == nil && diff != "" {
				t.Fatalf("read otherwise alone (-alone +got)\n%s", diff)
			}
		}
	})
}

// TestEntriesTakeNoMemory: once there is room for an entry, the next takes next to none.
func TestEntriesTakeNoMemory(t *testing.T) {
	data := thousand(t)
	var entries wire.Entries
	allocated := testing.AllocsPerRun(10, func() {
		if _, err := entries.Read(data); err != nil {
			t.Fatal(err)
		}
	})
	if allocated > 2 {
		t.Errorf("got %g pieces of memory for a thousand observations, want the epoch", allocated)
	}
}

// BenchmarkUnmarshalEntry reads a thousand observations of a probe: alone, into memory
// that is there, and in the general way.
func BenchmarkUnmarshalEntry(b *testing.B) {
	data := thousand(b)
	for name, read := range map[string]func([]byte) ([]wire.Batch, error){
		"direct": wire.UnmarshalEntry, "again": new(wire.Entries).Read, "general": wire.ReadEntry,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := read(data); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(1000*b.N), "ns/observation")
		})
	}
}

// thousand is an entry of so many observations.
func thousand(t testing.TB) []byte {
	t.Helper()
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	batch := wire.Batch{Probe: "osl-1", Region: "eu-north", Epoch: "0192f3a1c2d4-9b1c", Received: at, ClockKnown: true, ClockOffset: -3e6}
	for i := range 1000 {
		o := checks.Observation{
			Check: []string{"imap-login", "webmail", "smtp"}[i%3], Service: "mail", Family: checks.IPv4, Seq: uint64(i + 1), Plan: 7,
			Scheduled: at, Started: at.Add(2e6), Every: 30 * time.Second,
		}
		o.Outcome, o.Elapsed, o.Address = checks.Up, 83*time.Millisecond, "192.0.2.25:993"
		o.TLS = &checks.Handshake{Version: "1.3", Chain: []checks.Certificate{{
			Subject: "mail.example", Issuer: "Minted here", Names: []string{"mail.example"}, NotAfter: at, Key: strings.Repeat("1a", 32),
		}}}
		for _, p := range []checks.Phase{checks.Resolve, checks.Connect, checks.TLS, checks.Greeting, checks.Capability, checks.Auth, checks.Select} {
			o.Phases = append(o.Phases, checks.PhaseTiming{Name: p, Duration: 3100 * time.Microsecond})
		}
		batch.Records = append(batch.Records, wire.Record{Observation: o})
	}
	data, err := wire.MarshalEntry([]wire.Batch{batch})
	if err != nil {
		t.Fatal(err)
	}
	return data
}
