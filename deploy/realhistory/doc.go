// Package realhistory makes recordings of histories that others kept: of the commits
// by which an Upptime status page (github.com/upptime/upptime) writes down what became
// of each site, one probe looking at it every few minutes.
//
//   - What such a page writes down is when a site went up or down, with the HTTP status
//     and how long it took. In between it looked, and saw the same: those looks are in
//     the recording too, at the page's own cadence. How long they took is not known:
//     what is recorded is the median of those that were written down, since one slow
//     answer is no slow day.
//   - A status of 0 says that there was no answer, and not why. It is recorded as a
//     connection that timed out.
//   - Nothing is made up beyond that: the recording has one probe, one region and no
//     addresses.
package realhistory
