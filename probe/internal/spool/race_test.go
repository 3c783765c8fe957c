//go:build race

package spool

// share of three days that is kept in a test: here each takes twenty times as
// long.
const share = 70
