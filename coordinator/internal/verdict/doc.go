// Package verdict says what the probes of one region together say of one check
// over one address family: [Up], [Slow], [Intermittent], [Down] or [Unknown]. It
// is pure: it reads no clock, no network and no store; whoever calls it says what
// time it is.
//
// Of what follows Down stands over Intermittent, that over Slow, that over Up.
// Where Unknown holds nothing else is said.
//
// The figures below are the defaults; those of [Parameters] may be set for a check.
// A [Change] carries its [Evidence]: the part of the rule that decided, its figures,
// and what each probe said.
//
// # The last few results
//
// With I the interval of the check that was in force for a result, and K the
// number of failures that it takes:
//
//   - A result votes when its outcome is up or down. It is current until it is
//     older than 2 I, counted from its end, and a probe is as current as its
//     latest vote. Unknown results never vote: adding any number of them changes
//     no verdict.
//   - K is 4, and one fewer, but two, while exactly two probes have a current result.
//   - Down: the last K results all failed and came from at least two probes, and
//     the fault is the region's. A result that is only late is no failure here:
//     mail that arrives late can be sent.
//   - A fault is the region's when at least 2/3 of the probes with a current result
//     fail by their latest one; or when min(2/3 of them, 4) probes fail in the run
//     that is under way, and so does every one whose latest vote began at or after
//     the first failure of it. The second is there on purpose, though two thirds
//     alone would be simpler: a good vote from before the failure says nothing of
//     what came after, yet it is current for 2 I, so that with ten probes at 30 s
//     seven of them would have to look again, half a minute. 8 s are enough to see
//     that four fail, as many as one asks and itself, and nobody else who looked is
//     well. Up to six probes both are the same.
//   - Down ends after 3 results in a row that are good or late, from at least two
//     probes: mail is still late if at least 2/3 of the probes say so. The failures
//     of a Down are not in the sample below, however it ends.
//   - Slow, because mail is late: the last K results all failed or were late, came
//     from at least two probes, and the fault is the region's, but the rule of Down
//     is not met. So where some results failed and others were late it claims the
//     lesser of the two. It ends after 3 good results in a row from at least two
//     probes, or in Down.
//   - Unknown: fewer than MinProbes probes have a current result. Time alone can
//     bring this about, and then the change is dated to the instant at which the
//     quorum was lost, however late somebody looks.
//   - Where MinProbes is 1 and one probe has a current result, one probe is
//     enough wherever two are asked for, and a run of results may reach back 4 I: a
//     single probe needs 3 I for four scheduled results. Where K or the good results
//     are so many that the probes there are cannot give them within 2 I, a run may
//     reach back as long as they need.
//
// What was never judged, or lost its quorum, is Unknown until there is evidence
// either way: Down by the rule above, or Up as soon as the quorum is there and
// more than half of its probes are good, or so many runs fail that the series is
// Intermittent. A tie is decided when K current
// results are in: Up if fewer than 2/3 of the probes fail, which is what keeps
// an Up up. Two probes that both fail from the start are therefore never shown
// as up. Only a result can bring anything but Unknown; time alone cannot.
//
// # The sample
//
// Shares and medians are taken of scheduled results alone: those that look again
// after a failure would make it weigh more. Intermittent has two beginnings, and
// each its own end; it holds until both are over:
//
//   - Of the results of the last 10 min, or of the last 60 if that is longer, so
//     many failed that the Wilson lower bound (z = 2.58) of the share exceeds 5 %,
//     and at least two probes failed at least 3 times each. It begins with a good
//     result, since a run of failures may become a Down, and ends when the share
//     falls under 2 %. Half an hour without a Down does not end it: a fifth of all
//     runs can fail for days without one.
//   - The series went down three times within an hour. That ends once it has not
//     been down for 30 min, counted from the end of the last Down. A Down that was
//     lost with the quorum and found again is one.
//
// # What is usual
//
// Slow, because runs take long: the median of the last 10 good results is above
// max(3 x usual, usual + 500 ms). It ends when the median is at three quarters of
// that, so that a series on the edge does not change at every result.
//
// The usual time is the median of the medians of the last 24 hours in which
// something was learnt, and known after 500 good results, or after a day with 10.
// It learns only while the state is Up: what is slow does not become usual by
// lasting, unless it has lasted for a week. A check may have a limit of its own
// ([Parameters.SlowOver]), which holds whatever is usual and does not become so.
// Round trips say themselves what is late and are compared with nothing
// ([Rule.Limited]).
//
// Its numbers are few and coarse on purpose. A result that comes late changes the
// judges of every later hour until they are as they were; by the end of the hour
// nothing is left of a single one.
//
// # What is no verdict
//
// [Panel.Notices] tells of what operators should look at: a probe that alone has
// seen something for more than 10 min, and logins that are refused everywhere: as
// soon as the last login of every probe was, so after one interval at most.
//
// A [Judge] is a function of the results it was given and of the times at which
// they were given. [Final] sorts them first, so that its answer is a function of
// the set alone.
package verdict
