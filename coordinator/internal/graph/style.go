package graph

import _ "embed"

//go:embed palette.css
var paletteCSS string

//go:embed marks.css
var marksCSS string

// delaysCSS is not in a stand-alone SVG, which holds no delays.
//
//go:embed delays.css
var delaysCSS string

// numbersCSS is not in a stand-alone SVG either.
//
//go:embed numbers.css
var numbersCSS string

//go:embed symbols.svg
var symbolsSVG string

// Palette is the one place that names colours: custom properties on :root for
// light, dark and print. It works in a page and in a stand-alone SVG.
func Palette() string { return paletteCSS }

// Style is the style sheet of everything that this package draws; it needs
// [Palette] before it.
func Style() string { return marksCSS + delaysCSS + numbersCSS }

// Symbols is the hidden SVG with the shapes and patterns that the fragments
// refer to. A page holds it once, before them.
func Symbols() string { return symbolsSVG }
