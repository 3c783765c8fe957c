// Package ledger keeps the test mails of a probe on disk.
//
// What it promises:
//
//   - When Enter returns without an error, the mail is on disk: no mail is sent
//     of which a crash could leave no trace.
//   - A kill at any byte leaves each mail as it was before or after a change,
//     whole. A file that is damaged all the same costs that one mail.
//   - A change that the disk does not take stands in memory, and is written as
//     soon as the disk takes it again. A crash before that leaves the mail as it
//     was: what was found is found again, or followed to its end.
//   - There are never more than Max mails. Those of which there is nothing more
//     to learn are forgotten, the oldest first, after Keep at the latest.
//   - What one probe left is never taken for that of another that runs in the
//     same folder: see Options.Owner.
//
// Each mail is one small file, written under another name, synced and renamed.
// There are a few hundred of them, and each changes five times in its life: a
// database would be more than that needs, and a torn page of one would cost all
// mails and perhaps the program.
package ledger
