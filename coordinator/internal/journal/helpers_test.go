package journal_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"
	"go.uber.org/goleak"

	"varde/checks"
	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

func TestMain(m *testing.M) {
	// JetStream's clock ticks on a goroutine of the process. Started inside a
	// bubble it would wait for a channel from outside, and time would stand.
	ats.Register()
	if role, dir, ok := strings.Cut(os.Getenv(child), ":"); ok {
		debug.SetTraceback("all")
		time.AfterFunc(60*time.Second, func() { panic("child hangs") })
		if err := map[string]func(string) error{"write": writer, "fill": filler}[role](dir); err != nil {
			fmt.Fprintln(os.Stderr, role, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("20") // each opens journals on a real disk
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// batch is the records first to last of one source.
func batch(probe, epoch string, first, last uint64) wire.Batch {
	b := wire.Batch{Epoch: epoch, Received: time.Now().UTC()}
	for seq := first; seq <= last; seq++ {
		at := time.Now().UTC()
		b.Records = append(b.Records, wire.Record{Observation: checks.Observation{
			Check: "imap-login", Service: "imap", Family: checks.IPv4, Seq: seq, Plan: 3,
			Scheduled: at, Started: at, Every: 30 * time.Second,
			Result: checks.Result{
				Outcome: checks.Up, Address: "192.0.2.25:993", Elapsed: 83 * time.Millisecond,
				Phases: []checks.PhaseTiming{
					{Name: checks.Resolve, Duration: time.Millisecond},
					{Name: checks.Connect, Duration: 22 * time.Millisecond},
					{Name: checks.TLS, Duration: 30 * time.Millisecond},
					{Name: checks.Greeting, Duration: 5 * time.Millisecond},
					{Name: checks.Auth, Duration: 25 * time.Millisecond},
				},
			},
		}})
	}
	b.Attribute(probe, "eu-north", "osl")
	return b
}

func options(dir string) journal.Options {
	return journal.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)}
}

func open(t testing.TB, o journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func mustAppend(t testing.TB, j *journal.Journal, batches ...wire.Batch) uint64 {
	t.Helper()
	seq, err := j.Append(t.Context(), batches)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// spans reads the whole journal and says, message by message, what it holds.
func spans(t testing.TB, j *journal.Journal) []string {
	t.Helper()
	var out []string
	_, last := j.Bounds()
	err := j.Read(context.Background(), 1, last, func(e journal.Entry) error {
		for _, b := range e.Batches {
			out = append(out, fmt.Sprintf("%d+%d %s/%s %d-%d", e.Seq, e.Missed, b.Probe, b.Epoch, b.First(), b.Last()))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
