// Package uplink is how a probe speaks to the coordinator. It is the only
// package of the probe that is a gRPC client.
//
// Its laws:
//
//   - A record leaves the spool only when a coordinator has said, by a mark,
//     that it is on disk. Whatever breaks, it is sent again.
//   - Old epochs go first, each in the order of its numbers.
//   - Where the coordinator's mark is, there the probe goes on: also when that
//     is further back than it thought.
//   - A coordinator that does not answer, or answers no more, is left for the
//     next one, after a pause that is random and grows from half a second to
//     thirty, so that a fleet does not come back as one.
//   - When none was heard for twenty seconds, peers are asked to pass the same
//     connection on, one after another. The direct way is tried all the while and
//     taken as soon as a coordinator answers over it: first the other connection
//     ends, so that there is one at a time.
//   - Nobody is spoken to who does not hold a certificate of the pinned CA.
package uplink
