// Package wire is the only place where domain values become messages and
// messages become domain values.
//
// Every pair of functions is inverse: reading what was written gives an equal
// value. A message that lacks a field, or holds one that is out of range, too
// long or unknown, is refused as a whole with an error that names the field;
// nothing is guessed and arbitrary bytes never panic.
package wire
