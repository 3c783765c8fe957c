// Package bulletin is what the public is told of incidents. It is pure.
//
// A [Bulletin] is what one page says of one incident: a title, how far it is, and
// updates, each of which stays as it was said. [Policy.Review] looks at an incident and
// at what was said of it and says what there is to say more:
//
//   - nothing before the trouble has lasted for the dwell time of its impact, and nothing
//     at all of what was over by then, of drafts and of what was recorded afterwards,
//     unless a person publishes it;
//   - then at once (auto), once a person agrees or nobody did anything for a while
//     (approve), or when a person publishes it (manual);
//   - an update whenever it spreads, shrinks or changes its kind, at most one a minute
//     unless it becomes graver, and one each when all is well again, when that has lasted,
//     and when the trouble returns. One that comes and goes is told of at most every
//     quarter of an hour;
//   - what a person publishes and takes back, and a false alarm, is withdrawn visibly;
//   - nothing any more once a person has taken it over: then the parts are still measured
//     and the words are theirs.
//
// Words are made of measured facts by the templates of a [Lexicon], one a language. Every
// act, also one of the machine, stands in the log of the bulletin with its reason.
package bulletin
