// Package journal is the durable, ordered log of what probes saw: the truth of
// the coordinator. It is NATS JetStream, embedded, without an open port; no
// other package knows that.
//
// Its laws:
//
//   - What Append has returned a number for is on disk (fsync), in that order,
//     and survives the end of the process or of the machine at any moment.
//   - No record is kept twice. Append refuses a batch that overlaps the mark of
//     its source, and a write whose fate is not known (a timeout) is looked up
//     before the next one is made.
//   - The marks are what the messages themselves say: every message names in
//     its header each (probe, epoch, first, last) that it holds. A snapshot only
//     shortens reading them at the start.
//   - A reader sees every message in order from the place that it names. What
//     was discarded by age or size before the reader came is told to it as
//     [Entry.Missed], never passed over in silence.
//
// Readers keep their own cursors, beside what they made of the messages, so
// that both change in one transaction. Those that keep up are fed from memory,
// where nothing is that is not on disk. Small state that must be agreed on lives
// in a [Bucket], with compare-and-set. What must outlive the journal lies beside it
// in an [Archive].
//
// When the disk cannot be written (full, gone, failing), Append returns an
// error and what was acknowledged stays. The embedded server is then started
// anew by the next call, at most once a second, until it works again.
package journal
