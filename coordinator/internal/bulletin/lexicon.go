package bulletin

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
	"varde/proto/document"
)

// Kind is a kind of update, the name of its template in a lexicon.
type Kind string

// The kinds of updates.
const (
	opening    Kind = "opening"
	past       Kind = "past"
	spread     Kind = "spread"
	shrunk     Kind = "shrunk"
	changed    Kind = "changed"
	flapping   Kind = "flapping"
	monitoring Kind = "monitoring"
	resolved   Kind = "resolved"
	relapsed   Kind = "relapsed"
	identified Kind = "identified"
	withdrawn  Kind = "withdrawn"
)

func kinds() []Kind {
	return []Kind{opening, past, spread, shrunk, changed, flapping, monitoring, resolved, relapsed, identified, withdrawn}
}

// Lexicon has the words of one language. Another language is another file.
type Lexicon struct {
	words   words
	updates map[Kind]*template.Template
	said    map[incident.Group]map[verdict.State]*template.Template
	date    *template.Template
}

// words are a lexicon as its file has them.
type words struct {
	// Tag is the language as HTML names it (BCP 47).
	Tag        string   `yaml:"tag"`
	And        string   `yaml:"and"`
	Everywhere string   `yaml:"everywhere"`
	Months     []string `yaml:"months"`
	Moment     string   `yaml:"moment"`
	// Trouble says what cannot be done, by kind and state.
	Trouble troubles `yaml:"trouble"`
	// Seen says what probes saw, by class, Slow what takes long, by phase.
	Seen    map[string]string `yaml:"seen"`
	Slow    map[string]string `yaml:"slow"`
	Updates map[string]string `yaml:"updates"`
}

// troubles are the clauses of all groups.
type troubles struct {
	Names       clauses `yaml:"names"`
	Reach       clauses `yaml:"reach"`
	Certificate clauses `yaml:"certificate"`
	Login       clauses `yaml:"login"`
	Answers     clauses `yaml:"answers"`
	Delivery    clauses `yaml:"delivery"`
	Mixed       clauses `yaml:"mixed"`
}

// clauses say what cannot be done in each state.
type clauses struct {
	Down         string `yaml:"down"`
	Intermittent string `yaml:"intermittent"`
	Slow         string `yaml:"slow"`
}

// of are the clauses by group.
func (t troubles) of() map[incident.Group]clauses {
	return map[incident.Group]clauses{
		incident.Names: t.Names, incident.Reach: t.Reach, incident.Certificate: t.Certificate, incident.Login: t.Login,
		incident.Answers: t.Answers, incident.Delivery: t.Delivery, incident.Mixed: t.Mixed,
	}
}

//go:embed words/*.yaml
var builtIn embed.FS

// Languages are the tags of the lexicons that are built in.
func Languages() []string { return []string{"de", "en", "nb"} }

// BuiltIn returns the lexicon of a language.
func BuiltIn(tag string) (*Lexicon, error) {
	if !slices.Contains(Languages(), tag) {
		return nil, fmt.Errorf("got %.40q, expected %s or the path of a file with words", tag, strings.Join(Languages(), ", "))
	}
	data, err := builtIn.ReadFile("words/" + tag + ".yaml")
	if err != nil {
		return nil, err
	}
	return ParseLexicon(tag+".yaml", data)
}

// ParseLexicon reads a lexicon from the text of its file, which the name stands for in
// errors, and tries every template. It must have all that the built-in ones have.
func ParseLexicon(name string, data []byte) (*Lexicon, error) {
	l := &Lexicon{updates: make(map[Kind]*template.Template), said: make(map[incident.Group]map[verdict.State]*template.Template)}
	d, err := document.Read(name, data, &l.words)
	if err == nil {
		err = d.Err()
	}
	if err == nil {
		err = l.parse()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, document.Cause(err))
	}
	return l, nil
}

// Tag is the language as HTML names it (BCP 47).
func (l *Lexicon) Tag() string { return l.words.Tag }

func (l *Lexicon) parse() error {
	w, errs := l.words, []error(nil)
	if w.Tag == "" || len(w.Tag) > 35 || w.And == "" || w.Everywhere == "" {
		errs = append(errs, errors.New("tag, and, everywhere: got an empty one, expected words"))
	}
	if len(w.Months) != 12 {
		errs = append(errs, fmt.Errorf("months: got %d, expected 12", len(w.Months)))
	}
	keep := func(t *template.Template, err error) *template.Template {
		errs = append(errs, err)
		return t
	}
	l.date = keep(compile("moment", w.Moment, date{Day: 1, Month: "May", Year: 2000, Clock: "12:00"}))
	for _, k := range kinds() {
		l.updates[k] = keep(compile("updates."+string(k), w.Updates[string(k)], samples()...))
	}
	of := w.Trouble.of()
	for _, g := range slices.Sorted(maps.Keys(of)) {
		l.said[g] = make(map[verdict.State]*template.Template)
		for s, text := range map[verdict.State]string{verdict.Down: of[g].Down, verdict.Intermittent: of[g].Intermittent, verdict.Slow: of[g].Slow} {
			l.said[g][s] = keep(compile("trouble."+string(g)+"."+s.String(), text, samples()...))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(w.Updates)) {
		if !slices.Contains(kinds(), Kind(k)) {
			errs = append(errs, fmt.Errorf("updates: got %q, expected %v", k, kinds()))
		}
	}
	return errors.Join(errs...)
}

// compile makes a template and tries it on what it will be given.
func compile[T any](key, text string, tries ...T) (*template.Template, error) {
	if strings.TrimSpace(text) == "" {
		return nil, fmt.Errorf("%s: got nothing, expected a template", key)
	}
	t, err := template.New(key).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	for _, try := range tries {
		if _, err := render(t, try); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// textMost bounds what a template makes, in characters.
const textMost = 5000

// render writes one line: what a template breaks into lines is joined again.
func render(t *template.Template, data any) (string, error) {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return "", err
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	if utf8.RuneCountInString(text) > textMost {
		text = string([]rune(text)[:textMost-1]) + "…"
	}
	return text, nil
}

// samples are facts of all shapes.
func samples() []Facts {
	full := Facts{
		Trouble: "x", Services: "x", Regions: "y", Also: "z", Since: "a", Until: "b", Lasted: "c", Seen: "d", Failing: 2, All: 3,
		Sent: 10, Lost: 1, Late: 2, Pending: 3, Longest: "e", Why: "f", Many: true, Everywhere: true, Past: true, Comes: true,
	}
	return []Facts{{}, full}
}

// date is what the template of a moment is given.
type date struct {
	Day   int
	Month string
	Year  int
	Clock string
}

// said is what a template that was tried makes of facts; nothing in what it is given now
// can make it fail.
func said(t *template.Template, data any) string {
	text, err := render(t, data)
	if err != nil {
		return ""
	}
	return text
}

func (l *Lexicon) moment(t time.Time) string {
	t = t.UTC()
	return said(l.date, date{t.Day(), l.words.Months[t.Month()-1], t.Year(), t.Format("15:04")})
}

// list joins names as in a sentence: "a", "a and b", "a, b and c".
func (l *Lexicon) list(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + l.words.And + names[n-1]
	}
	return strings.Join(names, "")
}

func (l *Lexicon) update(k Kind, f Facts) string { return said(l.updates[k], f) }

// trouble is the clause that says what cannot be done.
func (l *Lexicon) trouble(g incident.Group, s verdict.State, f Facts) string {
	of, ok := l.said[g]
	if !ok {
		of = l.said[incident.Mixed]
	}
	t, ok := of[s]
	if !ok { // nothing of it is measured now
		t = of[verdict.Down]
	}
	return said(t, f)
}

// titleMost is the longest title that Atlassian Statuspage takes, in characters.
const titleMost = 255

// title is the clause alone, as of now and not as of the past: a title does not change
// when the trouble is over.
func title(f Facts) string {
	if runes := []rune(f.Trouble); len(runes) > titleMost {
		return string(runes[:titleMost-1]) + "…"
	}
	return f.Trouble
}
