//go:build !race

package spool

// share of three days that is kept in a test.
const share = 7
