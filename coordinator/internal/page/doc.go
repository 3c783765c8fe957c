// Package page is what the public pages and the operators' pages share: the
// shell of a document, its style sheet, and how answers are sent.
//
// What it promises:
//
//   - a page is complete without script, sets no cookie and loads nothing from
//     elsewhere, and its Content-Security-Policy says so to the browser: the
//     one style sheet is named by its SHA-256, everything else is refused, but
//     for the one script that helps operators, which is named in the same way;
//   - an answer that was made once is sent many times: it carries a strong
//     ETag and a compressed form, and while one request renews it all others
//     get the one before.
package page
