package ingest_test

import (
	"testing"
	"time"
)

// BenchmarkBacklog is one probe handing over 100,000 records to a coordinator
// with a real journal: TLS, gRPC, and an fsync for each commit.
func BenchmarkBacklog(b *testing.B) {
	const records = 100_000
	for b.Loop() {
		j := openJournal(b, b.TempDir())
		w := newWorld(b, j)
		stop := w.coordinate()
		p := w.probe("osl-1", "eu-north", "e1")
		p.spool.Add("e1", records)
		for p.spool.Depth() > 0 {
			time.Sleep(time.Millisecond)
		}
		p.stop()
		stop()
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(records*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
