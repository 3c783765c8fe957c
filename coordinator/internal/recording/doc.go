// Package recording reads what a fleet observed and somebody kept: JSON lines, plain
// or compressed with gzip or zstd, or the journal of a stopped coordinator.
//
//   - Observations are handed over in the order in which they stand there, which is
//     that in which they arrived.
//   - JSON lines are read as strictly as the coordinator reads its probes: every key,
//     every word and every name is known, or reading ends with a [Fault] that names
//     the file and the line. Whoever judges what was read before that must throw it
//     away.
//   - Memory is bounded whatever the file holds: lines, windows and the rate at which
//     a compressed file grows have limits.
//   - A recording can be read again, and gives the same again.
package recording
