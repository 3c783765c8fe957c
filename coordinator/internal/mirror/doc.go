// Package mirror copies every observation and every told verdict to servers that
// speak InfluxDB's write API, for whoever wants to draw them beside other numbers.
// Nothing of ours reads them there: graphs, pages and reports come from the history.
//
//   - Each target has a place of its own in the journal, and one in the record of
//     verdicts. A place moves after the server has taken what lies before it, and is
//     on disk before more is sent: a server that is away loses nothing that the
//     journal still holds, and what the journal held no more is counted.
//   - A point is named by its series and its time, and both follow from the journal
//     alone. What is sent again after a crash takes the place of what was there.
//   - The journal waits for nobody: a mirror reads behind it, at most one batch in
//     memory. Requests, answers and waits are bounded.
//   - A server's words reach the operators, at most [maxWords] printable characters
//     of them. What it refuses waits and is tried again; only points that it says it
//     dropped of a batch of which it took the rest are given up, and counted.
//
// DESIGN.md holds the schema and what differs between servers.
package mirror
