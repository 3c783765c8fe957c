// Package verdict says what the probes of one region together say of one check
// over one address family: [Up], [Slow], [Down] or [Unknown]. It is pure: it
// reads no clock, no network and no store; whoever calls it says what time it is.
//
// The rule, with I the interval of the check that was in force for a result, and
// K the number of failures that it takes:
//
//   - A result votes when its outcome is up or down. It is current until it is
//     older than 2 I, counted from its end, and a probe is as current as its
//     latest vote. Unknown results never vote: adding any number of them changes
//     no verdict.
//   - K is 4, and 3 while exactly two probes have a current result.
//   - Down: the last K results all failed, came from at least two probes, and at
//     least 2/3 of the probes with a current result fail by their latest one. A
//     result that is only late is no failure here: mail that arrives late can be
//     sent.
//   - Down ends after 3 results in a row that are good or late, from at least two
//     probes: as Slow if at least 2/3 of the probes say late, otherwise as Up.
//   - Slow: the last K results all failed or were late, came from at least two
//     probes, and at least 2/3 of the probes fail or are late, but the rule of Down
//     is not met. So it says that mail is late, and where some results failed and
//     others were late it claims the lesser of the two.
//   - Slow ends after 3 good results in a row from at least two probes, or in Down.
//   - Unknown: fewer than MinProbes probes have a current result. Time alone can
//     bring this about, and then the change is dated to the instant at which the
//     quorum was lost, however late somebody looks.
//   - Where MinProbes is 1 and one probe has a current result, one probe is
//     enough for both runs of results, and such a run may reach back 4 I: a
//     single probe needs 3 I for four scheduled results.
//
// What was never judged, or lost its quorum, is Unknown until there is evidence
// either way: Down by the rule above, or Up as soon as the quorum is there and
// more than half of its probes are good. A tie is decided when K current
// results are in: Up if fewer than 2/3 of the probes fail, which is what keeps
// an Up up. Two probes that both fail from the start are therefore never shown
// as up. Only a result can bring Down, Slow or Up; time alone cannot.
//
// A [Judge] is a function of the results it was given and of the times at which
// they were given. [Final] sorts them first, so that its answer is a function of
// the set alone.
package verdict
