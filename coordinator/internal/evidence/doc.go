// Package evidence keeps what was measured around incidents, and hands it over.
//
// A [Keeper] reads the journal and keeps the observations of the checks of every
// incident, from an hour before it to an hour after, in an archive that lives longer
// than the journal. [Write] makes one file of all that is known of an incident, for
// whoever has to rely on it without knowing us, and [Verify] says whether such a file
// is as it was written.
//
// What the package promises:
//
//   - nothing that the journal held is lost on the way to the archive, whenever the
//     process ends; what is kept twice is read once;
//   - nobody waits for it: neither what arrives nor who asks for a page;
//   - the same [Case] gives the same bytes, and no secret is among them;
//   - memory is bounded by what a minute holds, not by the length of an incident;
//   - a signature of evidence is one for nothing else, and no other signature of the
//     same key is one for evidence.
package evidence
