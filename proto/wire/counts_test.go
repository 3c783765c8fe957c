package wire_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"varde/proto/wire"
)

// TestCountsAreAllListed: what is counted is shown, under the name that it has in
// JSON.
func TestCountsAreAllListed(t *testing.T) {
	var c wire.Counts
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		v.Field(i).SetUint(uint64(i + 1))
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	list := c.List()
	for _, one := range list {
		if want[one.Name] != one.N || one.N == 0 || one.Meaning == "" {
			t.Errorf("%s: got %d, JSON has %d", one.Name, one.N, want[one.Name])
		}
		delete(want, one.Name)
	}
	if len(want) > 0 || len(list) != v.NumField() {
		t.Errorf("not listed: %v", want)
	}
}

// TestQualificationIsReadBack: null is not false.
func TestQualificationIsReadBack(t *testing.T) {
	for q, want := range map[wire.Qualification]string{wire.NotJudged: "null", wire.Qualified: "true", wire.Disqualified: "false"} {
		text, err := json.Marshal(q)
		got := wire.Qualification(9)
		if err != nil || string(text) != want || json.Unmarshal(text, &got) != nil || got != q {
			t.Errorf("%d: got %s, %v, read back as %d", q, text, err, got)
		}
	}
	if q := wire.Qualified; json.Unmarshal([]byte(`"yes"`), &q) == nil {
		t.Errorf("a word was read as %d", q)
	}
}

// TestFaultsSayWhatToDo: every fault names the port, and one of a newer program is
// shown as it is.
func TestFaultsSayWhatToDo(t *testing.T) {
	for _, f := range []wire.Fault{wire.FaultUDPBlocked, wire.FaultNAT, wire.FaultUnreachable} {
		if got := f.Advice("[2001:db8::1]:17946"); !strings.Contains(got, " 17946 ") {
			t.Errorf("%s: got %q, want the port", f, got)
		}
		if got := f.Advice(""); !strings.Contains(got, "mesh.bind") {
			t.Errorf("%s: got %q, want where the port is set", f, got)
		}
	}
	for _, f := range []wire.Fault{wire.FaultNAT, wire.FaultUnreachable} {
		if got := f.Advice(""); !strings.Contains(got, "peer.bind") {
			t.Errorf("%s: got %q, want the port of the peer too", f, got)
		}
	}
	if got := wire.FaultNoIPv6.Advice(""); !strings.Contains(got, "mend its IPv6") || !strings.HasSuffix(got, "over IPv4 alone") {
		t.Errorf("%s: got %q", wire.FaultNoIPv6, got)
	}
	if got := wire.Fault("moon_phase").Advice(""); got != "moon_phase" {
		t.Errorf("got %q", got)
	}
}

// TestEpochStart: an epoch says when it began, unless somebody named it by hand.
func TestEpochStart(t *testing.T) {
	want := time.Date(2026, 11, 22, 10, 20, 14, 5e6, time.UTC)
	if got, ok := wire.EpochStart("01a202c54b35-9b1c0d2e"); !ok || !got.Equal(want) {
		t.Errorf("got %s, %t, want %s", got, ok, want)
	}
	for _, odd := range []string{"", "e1", "0192f3a1c2d4e-9b1c", "zzzzzzzzzzzz-9b1c"} {
		if got, ok := wire.EpochStart(odd); ok {
			t.Errorf("%q: got %s, want nothing", odd, got)
		}
	}
}
