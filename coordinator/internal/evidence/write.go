package evidence

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/template"
	"time"

	"varde/coordinator/internal/incident"
)

//go:embed readme.txt
var readmeText string

// The files of evidence.
const (
	readmeName       = "README.txt"
	summaryName      = "summary.html"
	observationsName = "observations.jsonl"
	verdictsName     = "verdicts.json"
	incidentName     = "incident.json"
	serversName      = "servers.json"
	probesName       = "probes.json"
	planName         = "plan.json"
)

// Write writes a case as one ZIP file. It keeps nothing of it in memory that grows with
// the number of observations. After an error what was written is no evidence.
func Write(w io.Writer, c Case) error {
	if c.Incident.ID == "" || !c.From.Before(c.Until) || c.Observations == nil {
		return errors.New("write evidence: an incident, a window and its observations are required")
	}
	b := &bundle{zip: zip.NewWriter(w), at: c.Incident.Started.UTC()}
	a := newAccount(windowOf(c.From, c.Until))
	for _, f := range []struct {
		name string
		fill func(io.Writer) error
	}{
		{readmeName, c.writeReadme},
		{observationsName, func(w io.Writer) error { return c.writeObservations(w, a) }},
		{verdictsName, func(w io.Writer) error { return writeJSON(w, c.verdicts()) }},
		{incidentName, func(w io.Writer) error { return writeJSON(w, c.incident()) }},
		{serversName, func(w io.Writer) error { return writeJSON(w, c.serversFile(a)) }},
		{probesName, func(w io.Writer) error { return writeJSON(w, c.probeRecords(a)) }},
		{planName, func(w io.Writer) error { return writeJSON(w, c.plan()) }},
		{summaryName, func(w io.Writer) error { return c.writeSummary(w, a) }},
	} {
		if err := b.add(f.name, f.fill); err != nil {
			return fmt.Errorf("write evidence: %w", err)
		}
	}
	if err := b.seal(c); err != nil {
		return fmt.Errorf("write evidence: %w", err)
	}
	return nil
}

// bundle is the file under way.
type bundle struct {
	zip *zip.Writer
	// at is the time of all files: what is written twice is the same twice.
	at   time.Time
	sums []sum
}

// add adds one file.
func (b *bundle) add(name string, fill func(io.Writer) error) error {
	f, err := b.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: b.at})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	h := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(f, h), 64<<10)
	if err := errors.Join(fill(buffered), buffered.Flush()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b.sums = append(b.sums, sum{name, [sha256.Size]byte(h.Sum(nil))})
	return nil
}

// seal adds the manifest and its signature, and ends the file.
func (b *bundle) seal(c Case) error {
	text := manifest(b.sums)
	s, err := sign(c.Key, c.Authority, text)
	if err != nil {
		return err
	}
	bytes := func(text []byte) func(io.Writer) error {
		return func(w io.Writer) error { _, err := w.Write(text); return err }
	}
	if err := b.add(manifestName, bytes(text)); err != nil {
		return err
	}
	if err := b.add(signatureName, bytes(s.text())); err != nil {
		return err
	}
	return b.zip.Close()
}

// writeObservations writes one object a line.
func (c Case) writeObservations(w io.Writer, a *account) error {
	defer a.close()
	for s, err := range c.Observations {
		if err != nil {
			return err
		}
		a.take(s)
		if s.Gap != nil {
			continue
		}
		line, err := s.Observation.MarshalJSON() // as json.Marshal, which would read it once more
		if err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

type verdictsFile struct {
	Told       []Verdict `json:"told"`
	Final      []Verdict `json:"final"`
	FinalUntil time.Time `json:"final_until,omitzero"`
}

func (c Case) verdicts() verdictsFile {
	return verdictsFile{append([]Verdict{}, c.Told...), append([]Verdict{}, c.Final...), c.FinalUntil}
}

type incidentFile struct {
	Title   string          `json:"title"`
	Summary string          `json:"summary"`
	Stage   incident.Stage  `json:"stage"`
	Signs   []incident.Sign `json:"signs"`
	// Incident is what the machine says, and, under "edits", what people say.
	Incident incident.Case   `json:"incident"`
	Merged   []incident.Case `json:"merged,omitempty"`
}

func (c Case) incident() incidentFile {
	s := c.shown()
	return incidentFile{s.Title, s.Summary, s.Stage, append([]incident.Sign{}, c.Signs...), c.Incident, c.Merged}
}

type serversFile struct {
	Addresses    []addressRecord `json:"addresses"`
	Certificates []chainRecord   `json:"certificates"`
	Changes      []moveRecord    `json:"changes"`
	// Beyond is how many observations met something that was one too many to be listed.
	Beyond int `json:"beyond,omitempty"`
}

func (c Case) serversFile(a *account) serversFile {
	return serversFile{a.addressRecords(), a.chainRecords(), c.moveRecords(), a.more}
}

type planFile struct {
	Plan   uint64  `json:"plan"`
	Checks []asked `json:"checks"`
}

func (c Case) plan() planFile {
	out := planFile{c.Plan, []asked{}}
	for _, t := range c.Checks {
		out.Checks = append(out.Checks, askedOf(t))
	}
	return out
}

// writeReadme says what the files are and how they are verified.
func (c Case) writeReadme(w io.Writer) error {
	t, err := template.New(readmeName).Parse(readmeText)
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		ID, Title, Coordinator, Version, From, Until, Written string
	}{
		c.Incident.ID, c.shown().Title, c.Coordinator, c.Version, moment(c.From), moment(c.Until), moment(c.Written),
	})
}

// moment writes a time for people.
func moment(t time.Time) string {
	if t.IsZero() {
		return "not known"
	}
	return t.UTC().Format("2 Jan 2006, 15:04:05 MST")
}
