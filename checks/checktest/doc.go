// Package checktest is an internet in memory, for tests of everything that
// speaks over a network.
//
// An [Internet] has hosts with addresses, names, and a rule that decides what
// happens to what is sent. A [Host] resolves, dials and listens like a machine;
// a [CA] mints certificates; a [Server] plays scripts, so that a test can say
// exactly when a server says what, and when it falls silent.
//
// What it promises:
//
//   - nothing leaves the process, and nothing takes time by itself: in a
//     testing/synctest bubble every wait is durable and every latency exact;
//   - a stream behaves like TCP: a write is buffered up to 64 kB, a close or
//     a reset is seen after what has arrived before it;
//   - a datagram that finds a full queue or no receiver vanishes without a word,
//     unless its sender has dialled and can hear that nobody is there;
//   - an address that no host has is silent, a port that nobody listens on
//     refuses.
//
// Everything must be made inside the bubble that uses it, certificates too:
// the clock there starts on 2000-01-01.
package checktest
