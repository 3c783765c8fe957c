// Package ops is what operators see: the matrix of checks and regions, each
// check, each observation, the probes, and the same as JSON and as a stream.
//
// What it promises:
//
//   - nobody reads it by accident. On a listener that is not on loopback every
//     request but the two health checks needs the token, as a Bearer header or
//     as a session that the login form gives; New refuses to make a server that
//     would be open. The token is compared in constant time;
//   - a page of somebody else cannot use an operator's browser against it: the
//     Host must be one of ours (which stops DNS rebinding), and whatever changes
//     something needs our Origin and a token from our own page, on loopback too;
//   - every question is bounded: times, steps, numbers of points and of rows.
//     What was wrong with a question is said in the answer, with what was
//     expected;
//   - every page is complete without script. The overview alone has one, overview.js,
//     which is named by its hash: it adds keys, asks while one types and reads the
//     page again after a change, and draws nothing by itself;
//   - a slow reader of the stream holds up nobody: its buffer is bounded, and
//     when it is full the reader is let go and comes back for the whole state.
package ops
