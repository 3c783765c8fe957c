// Package report writes one month of what was measured so that it can be printed and
// sent: as a page that is whole by itself, as a table and as JSON.
//
// What it promises:
//
//   - every number stands with what it rests on, and what is missing is said in
//     sentences before the first number: a month that is not over, days of which
//     nothing is known, minutes that are not kept any more;
//   - what everybody may read is chosen once ([Report.Public]) and is the same in all
//     three forms;
//   - the page holds its one style sheet, no script, and nothing from elsewhere;
//   - it is a function of its arguments: the same month gives the same bytes.
package report
