package grafana

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files of this folder anew")

// TestFilesAreAsMade: nobody changes a file of this folder and not what makes it.
func TestFilesAreAsMade(t *testing.T) {
	files := map[string][]byte{RulesFile: RulesYAML()}
	for _, d := range All() {
		made, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		files[d.File] = made
	}
	for name, made := range files {
		if *update {
			if err := os.WriteFile(name, made, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(kept, made) {
			t.Errorf("%s is not as it is made (%v): go test ./deploy/grafana -update", name, err)
		}
	}
}

// TestDashboardsCanBeImported holds them to what Grafana wants of its JSON: without it
// a panel lies on another, or an import asks for a data source of another's.
func TestDashboardsCanBeImported(t *testing.T) {
	uids := map[string]bool{}
	for _, d := range All() {
		made, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var m dashboardJSON
		decoder := json.NewDecoder(bytes.NewReader(made))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&m); err != nil {
			t.Fatal(err)
		}
		if uids[m.UID] || len(m.UID) > 40 || m.Title == "" || m.Schema < 36 {
			t.Errorf("%s: uid %q (unique, at most 40 characters), title %q, schemaVersion %d", d.File, m.UID, m.Title, m.Schema)
		}
		uids[m.UID] = true
		if first := m.Templating.List[0]; first.Type != "datasource" || first.Query != string(d.Source) {
			t.Errorf("%s: its first variable is %+v, want its data source", d.File, first)
		}
		var taken [1000][24]string
		ids := map[int]bool{}
		for _, p := range m.Panels {
			if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 || p.Source != d.source() {
				t.Errorf("%s: panel %d %q: id seen %t, %d queries, %+v", d.File, p.ID, p.Title, ids[p.ID], len(p.Targets), p.Source)
			}
			ids[p.ID] = true
			for y := p.Grid.Y; y < p.Grid.Y+p.Grid.H; y++ {
				for x := p.Grid.X; x < p.Grid.X+p.Grid.W; x++ {
					if x >= 24 || taken[y][x] != "" {
						t.Fatalf("%s: panel %q lies on %q or outside at %d, %d", d.File, p.Title, taken[y][min(x, 23)], x, y)
					}
					taken[y][x] = p.Title
				}
			}
			var refs []string
			for _, q := range p.Targets {
				if slices.Contains(refs, q.Ref) || (q.Expr == "") == (q.Query == "") || q.Source != d.source() {
					t.Errorf("%s: panel %q: query %+v", d.File, p.Title, q)
				}
				refs = append(refs, q.Ref)
			}
		}
	}
}

// TestEveryRuleSaysWhatToDo: what it is about, where to look, and the section of the
// README that it names; and a test has it fire.
func TestEveryRuleSaysWhatToDo(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	tested, err := os.ReadFile("testdata/rules.test.yml")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, rules := range Rules() {
		for _, r := range rules {
			if names[r.Name] || r.Summary == "" || !strings.HasPrefix(r.Page, "/") || !slices.Contains([]string{"page", "ticket"}, r.Severity) {
				t.Errorf("%+v", r)
			}
			names[r.Name] = true
			for _, word := range []string{"check", "service", "region"} {
				if text := r.Summary + r.Description; r.Name != "VardeMailLost" && !strings.Contains(text, word) {
					t.Errorf("%s names no %s: %s", r.Name, word, text)
				}
			}
			if !bytes.Contains(readme, []byte("\n### "+r.Name+"\n")) {
				t.Errorf("README.md has no section %s", r.Name)
			}
			if !bytes.Contains(tested, []byte("alertname: "+r.Name+"\n        exp_alerts:\n          - exp_labels:")) {
				t.Errorf("rules.test.yml does not have %s fire", r.Name)
			}
		}
	}
}
