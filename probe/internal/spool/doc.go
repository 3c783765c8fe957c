// Package spool keeps a probe's observations on disk until the coordinator has
// acknowledged them.
//
// What it promises:
//
//   - Order. Next hands out an epoch in the order of its sequence numbers,
//     without a hole: what is missing is named by one [wire.Gap] in its place.
//   - Durability. When Append returns without an error, the observation is on
//     disk. A kill at any byte leaves a prefix of what was being written.
//   - Bound. Segments never take more than Options.MaxBytes. What is too much
//     is dropped oldest first, counted, and later handed out as one gap.
//   - Removal only by acknowledgement. Ack twice is ack once, and an
//     acknowledgement outlives a restart.
//   - A full disk or a write error costs the observations of that moment, which
//     become a gap; it never leaves half a record, and the spool goes on as
//     soon as a write succeeds. A spool opens on a full disk too.
//   - While a disk hangs, 4,096 appends wait for it. What comes then is refused at
//     once, and becomes a gap behind those.
//   - Compression. What waits for long is compressed, ten to one, and nobody who
//     appends waits for it. A segment is plain or compressed at every moment,
//     also after a power loss, and one that is damaged becomes a gap.
//   - What one probe left is never handed out by another that runs in the same
//     folder: see Options.Owner.
//
// Every start of the program brings a new epoch, and so does Renew. Older epochs are read-only:
// they are handed out first and disappear when all of them is acknowledged.
//
// What is not promised: that a record is handed out once. Whoever reads must
// tolerate to be given the same records again until it acknowledges them.
package spool
