// Package cell holds what the history keeps of one series for a minute, a quarter
// of an hour, an hour or a day, and how it is written down. It is pure.
//
// Everything here can be merged in any order and any grouping with the same
// result, and equal contents give equal bytes: what is rebuilt from the journal
// after a crash is the same record, not a similar one. Decoding refuses what
// Encode cannot have written and never panics.
package cell
