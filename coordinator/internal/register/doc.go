// Package register keeps what a coordinator and its people write down and must agree
// on: incidents, with what people say of them, and the windows that people announce.
//
// Every value is JSON under a key of its own in a [Store], is changed only at the
// revision that its author has seen, and is on disk before anybody sees it.
//
// [Incidents] follows the verdicts that are told, by the numbers of their records. The
// incidents that changed are written first, each with the number of the newest change
// that it knows, and then how far the changes were taken: a crash between the two has
// some changes come again, and those that a case knows are left out. What the final
// record says otherwise is adopted afterwards; what people wrote is a part of its own,
// which the machine never writes.
//
// [Windows] are written by people only. One that is cancelled stays on record: what was
// announced, and when and by whom it was taken back.
package register
