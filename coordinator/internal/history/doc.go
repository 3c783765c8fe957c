// Package history keeps what is drawn: verdicts, and rollups of availability and
// latency by minute, hour and day, in SQLite files that any tool can open.
//
// Everything in it is made from the journal by three parts, each with a life of
// its own:
//
//   - [Told] judges observations in the order in which they arrive, and as time
//     passes: what was said when it was said.
//   - [Rollup] adds observations up, and remembers where in the journal each
//     minute's observations stand.
//   - [Final] judges every hour again from the whole set of its observations in
//     order of their corrected ends, and again when late ones arrive, for as long as
//     the journal holds all of the hour: after that its record stands.
//
// What a part has made of the journal is written in one transaction with its
// place in it. So after a crash at any moment it goes on where it stood: nothing
// is lost and nothing counts twice, and the record is byte for byte the one that
// would have been without the crash. A part also drops every record that is at or
// below its own mark for the probe and epoch, should the journal hold one twice.
//
// history.db holds verdicts, places, hours, days and the hours that are still
// open, minute by minute. A finished hour becomes one compressed block per series
// in minutes-YYYY-MM.db. A block is on disk before the open minutes that it was
// made of are deleted; a crash between the two repeats the sealing, which gives
// the same block. Late data opens a sealed hour again.
//
// Beside availability it keeps, made by [Rollup] in the same transactions, the ledger
// of test mails, what servers presented and what changed in that, and what was found
// of their configuration. What is known of a mail is the sum of its events in any
// order: a later one never takes a fact back.
//
// The queries answer for a window [from, to). A number is given whenever anything
// is known, with its coverage beside it, and the unfinished minute is included.
// Announced maintenance is asked for with every number and never written, so that taking it
// back changes no record.
package history
