// Package replay judges a recording as if it arrived now, by the very code that judges
// what arrives: told verdicts, final ones, incidents and availability.
//
//   - The clock is the largest end of a run so far, in the order of the recording.
//     Told verdicts are judged by it, and say when somebody would have known.
//   - Final verdicts, incidents but for when they were told, and availability are
//     functions of the set of observations: neither their order nor their batches
//     change them, and one that is there twice counts once.
//   - Judging is spread over goroutines. How many there are and how they run changes
//     no byte.
//   - Memory is bounded by the number of series and not by the length of the
//     recording. An hour is judged when the clock is a quarter of an hour past it and
//     more is waiting than must. What comes for it after that is put aside, and if
//     there is any, the recording is read a second time and judged with it.
package replay
