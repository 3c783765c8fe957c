// Package backup writes all that a coordinator is into one file while it runs, and makes
// a coordinator of such a file again.
//
// The file is a ZIP. In it are the keys and what else lies in the data folder, the
// buckets, the history, the evidence and the journal, the configuration and the files
// that it names, and, last, a manifest with the SHA-256 of each. Whoever has it has the
// fleet: it holds the keys of the authority and the passwords of the test mailboxes.
//
// What the package promises:
//
//   - the places of all readers fit the journal of the same file: what they point into
//     is copied after them, and a reader that is behind catches up;
//   - a file without its manifest, or with another byte anywhere, is refused before
//     anything is changed;
//   - a data folder is put in place whole or not at all, and the one that was there is
//     moved aside and not deleted;
//   - a configuration or password that is there is never written over;
//   - the plans of the restored coordinator are newer than any that the lost one made.
package backup
