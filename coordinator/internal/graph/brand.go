package graph

import "html/template"

// Mast is the beacon of the masthead, 28 px, lit while something is wrong. An
// empty title makes it an ornament. It refers to [Symbols].
func Mast(lit bool, size int, id, title string) template.HTML {
	var b builder
	px := num(float64(size))
	b.raw(`<svg class="mast" width="`, px, `" height="`, px, `" viewBox="0 0 24 24" `)
	if title == "" {
		b.raw(`aria-hidden="true" focusable="false">`)
	} else {
		id = escape(id)
		b.raw(`role="img" aria-labelledby="`, id, `"><title id="`, id, `">`)
		b.text(title)
		b.raw(`</title>`)
	}
	b.raw(`<use href="#m-beacon"/>`)
	if lit {
		b.raw(`<use href="#m-flame"/>`)
	}
	b.raw(`</svg>`)
	return b.html()
}

// Wordmark is the name of varde, drawn. It is an ornament: whoever uses it as
// a link names the link.
func Wordmark() template.HTML {
	return `<svg class="word" viewBox="0 -1 63 19" width="58" height="17.5" aria-hidden="true" focusable="false"><path class="mark-stroke" ` +
		`stroke-width="2" d="M2 6l4 10 4-10M23 11a5 5 0 1 1-10 0 5 5 0 0 1 10 0V6v10M28.5 6v10M28.5 11a5 5 0 0 1 5-5` +
		`M46 11a5 5 0 1 1-10 0 5 5 0 0 1 10 0V0v16M51.2 11H61a5 5 0 1 0-1.5 3.5"/></svg>`
}

// Chevron points right and turns down when what it stands beside is open.
func Chevron() template.HTML {
	return `<svg class="chev noprint" viewBox="0 0 9 9" aria-hidden="true" focusable="false"><path d="M2.5 1 6.5 4.5 2.5 8" fill="none" ` +
		`stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"/></svg>`
}

// Icon is the beacon as a data URL, for the head of a page. Grey shows on
// light and dark tabs alike.
func Icon() string {
	return "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E%3Cpath d='M1 22.6c4.2-3.4 7.2-4.7 11-4.7s6.8 " +
		"1.3 11 4.7M8.4 17.9 12 10.6l3.6 7.3M9.8 15h4.4' fill='none' stroke='%23777' stroke-width='2'/%3E%3C/svg%3E"
}
