// Package statuspage is the public page: what can be reached from where, now
// and for ninety days, as HTML, as JSON in the form that Atlassian Statuspage
// publishes, and as graphs and badges for other people's pages.
//
// What it promises:
//
//   - it never claims more than was measured. A region without data is named
//     as not measured and is no part of "everything works"; ages and coverage
//     stand beside every number; the time of the page is the time of its
//     facts, not of the request;
//   - it is cheap under load: facts are read at most once per refresh, every
//     answer is rendered at most once in that time and sent from memory, and
//     when the facts cannot be read the last ones stay, with their age;
//   - it sets no cookie, runs no script and keeps nothing about its readers.
//
// The words of the page are made in one place (words.go) and the mapping of
// verdicts to published status in another (status.go).
package statuspage
