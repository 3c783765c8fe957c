// Package graph draws what was measured: strips, latency, phases, waterfalls,
// the ridge with its beacons, and whole graphs for other people's pages.
//
// Every function is pure: equal input gives equal bytes, and nothing here
// knows the clock, a store or a network. What the package promises:
//
//   - every fragment is well-formed XML for any input. Text is escaped,
//     characters that XML forbids become U+FFFD, and numbers that are not
//     finite count as nothing;
//   - a picture has a title and a description that state the finding, and no
//     state is told by its colour alone: each has a shape and a pattern;
//   - where nobody looked nothing is drawn, and no line crosses such a gap;
//   - no fragment carries a style attribute or a script, so that a page can
//     forbid both (Content-Security-Policy) and still show it.
//
// Marks are SVG that stretches to its column; words stand beside them in SVG
// or HTML that does not stretch, placed in per cent. Colours are the custom
// properties of [Palette] and nothing else names one.
package graph
