package checks_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
)

// example is an observation as the outside holds it.
const example = `{"check":"imap-login","service":"imap","probe":"osl-1","region":"eu-north","family":"ipv4",` +
	`"epoch":"0192f3a1c2d4-9b1c","seq":17,"plan":7,"trigger":"schedule","scheduled":"2026-11-22T10:00:00Z","every_s":29.75,` +
	`"started":"2026-11-22T10:00:00.002Z","elapsed_ms":83.1,"outcome":"down","failed_phase":"tls","class":"tls_timeout",` +
	`"detail":"no ServerHello within 5s","address":"192.0.2.25:993",` +
	`"phases":[{"name":"resolve","ms":1.2},{"name":"connect","ms":22},{"name":"tls","ms":5000}]}`

func TestObservationJSON(t *testing.T) {
	var o checks.Observation
	if err := json.Unmarshal([]byte(example), &o); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(example, string(got)); diff != "" {
		t.Errorf("read and written again (-want +got):\n%s", diff)
	}
}

func TestObservationJSONRefusesWordsItDoesNotKnow(t *testing.T) {
	for _, change := range [][2]string{
		{`"ipv4"`, `"ipx"`}, {`"ipv4"`, `""`}, {`"outcome":"down"`, `"outcome":"sideways"`}, {`"schedule"`, `"whim"`}, {`"seq":17`, `"seq":-1`},
	} {
		var o checks.Observation
		if err := json.Unmarshal([]byte(strings.Replace(example, change[0], change[1], 1)), &o); err == nil {
			t.Errorf("%s: taken as %+v", change[1], o)
		}
	}
}

func FuzzObservationJSON(f *testing.F) {
	f.Add(example)
	f.Fuzz(func(t *testing.T, text string) {
		var o checks.Observation
		if json.Unmarshal([]byte(text), &o) != nil {
			return
		}
		once, err := json.Marshal(o)
		if err != nil {
			return // a time beyond the year 9999
		}
		var again checks.Observation
		if err := json.Unmarshal(once, &again); err != nil {
			t.Fatalf("%s cannot be read back: %v", once, err)
		}
		twice, err := json.Marshal(again)
		if err != nil || string(twice) != string(once) {
			t.Errorf("written %s, then %s, %v", once, twice, err)
		}
	})
}
