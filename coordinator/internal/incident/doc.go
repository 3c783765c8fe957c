// Package incident makes incidents of changes of verdict. It is pure.
//
// An incident is a span of bad verdicts with one cause, as far as we can tell. A
// [Book] is told of every change and of the time, and holds what is under way:
//
//   - A series that turns slow, intermittent or down joins an incident whose trouble
//     has a [Group] in common with its own, overlaps it within 5 min, and is of the
//     same service or on a network that both have; otherwise it begins one, dated to
//     its first failed observation. By what was decided stands in the incident as its
//     [Key]; its id follows from that.
//   - Trouble is of each group that has a sixth of the failures on which a change
//     rests, and of all that it ever was of: lost packets fail connects in one region
//     and answers in another, by chance, and a third one sees both.
//   - It stays there, however its trouble changes.
//   - An incident is Monitoring while all of its series are well, and Resolved when
//     that has lasted for 3 min or 3 intervals of the slowest of its checks, whichever
//     is longer. What is not known is not well: a region without a quorum keeps it
//     open, and so each of its regions has good results when it is closed.
//   - Trouble that returns within 15 min opens the same incident again. One that was
//     ill or well again more than three times within an hour is intermittent, and is
//     not closed until 30 min after the last of those turns.
//   - A check that leaves the configuration is neither ill nor well from then on.
//
// Laws, beside those of package verdict: changes are dated to the instants at which
// they fall due, so how often a Book is told the time leaves no trace, as does the
// order of changes of one instant, unless somebody read between them. A Book that is
// restored from its incidents goes on as if nothing had been. [Derive] is a function
// of the set of changes.
//
// What people write, [Edits], is kept beside what the machine writes, and [Views]
// puts both together: neither writes into the other's part.
package incident
