// Package ingest is where probes speak to the coordinator. It is the only
// package that serves gRPC.
//
// Its laws:
//
//   - Who somebody is, is what the certificate and the roster say. Probe, region
//     and site of every record are overwritten by that; what a probe claims of
//     itself counts for nothing.
//   - A mark is sent only after the journal has everything up to it on disk.
//   - Of every source (probe, epoch) only what continues its mark is accepted.
//     Everything else is answered with the mark, and the probe goes on from
//     there: however often a batch is sent, on however many streams, its records
//     are kept once and in order.
//   - When the journal does not take what arrived, no mark moves and the streams
//     that brought it end with UNAVAILABLE.
//   - A probe that leaves the roster loses its streams at once.
//   - Whoever shows no certificate of the roster costs little memory, few lines of
//     the log and ten seconds.
//   - One probe that reads slowly, or not at all, holds up nobody else.
//
// What arrives from all probes within a few milliseconds is kept by one commit,
// so that the price of a disk's fsync is paid once for all of them: see
// [Options.Window].
package ingest
