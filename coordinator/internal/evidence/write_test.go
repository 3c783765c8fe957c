package evidence

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
)

// written is a case as a file.
func written(t testing.TB, c Case) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unzipped are the files in it, in order.
func unzipped(t testing.TB, data []byte) (names []string, files map[string]string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		names, files[f.Name] = append(names, f.Name), string(text)
		if !f.Modified.Equal(started) {
			t.Errorf("%s is of %v, want the incident's time", f.Name, f.Modified)
		}
	}
	return names, files
}

func verified(data []byte, key ed25519.PublicKey) (Report, error) {
	return Verify(bytes.NewReader(data), int64(len(data)), key)
}

func public() ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func TestWriteGivesWhatVerifies(t *testing.T) {
	data := written(t, aCase())
	if !bytes.Equal(data, written(t, aCase())) {
		t.Error("the same case gave other bytes")
	}
	names, files := unzipped(t, data)
	want := []string{"README.txt", "observations.jsonl", "verdicts.json", "incident.json", "servers.json", "probes.json", "plan.json", "summary.html", "MANIFEST.sha256", "MANIFEST.sig"}
	if !slices.Equal(names, want) {
		t.Errorf("files: %q", names)
	}
	r, err := verified(data, public())
	if err != nil || !r.Trusted || r.Key != hex.EncodeToString(public()) || len(r.Files) != 8 {
		t.Errorf("verify: %+v, %v", r, err)
	}
	if r, err := verified(data, nil); err != nil || r.Trusted {
		t.Errorf("verify without a key: %+v, %v", r, err)
	}
	if n := strings.Count(files["observations.jsonl"], "\n"); n != 324*12 {
		t.Errorf("%d observations, want each", n)
	}
	last := time.Time{}
	for line := range strings.Lines(files["observations.jsonl"]) {
		var o checks.Observation
		if err := json.Unmarshal([]byte(line), &o); err != nil || o.End().Before(last) || !strings.HasPrefix(line, `{"check":`) {
			t.Fatalf("%s: %v", line, err)
		}
		last = o.End().Add(-time.Millisecond) // times are written to a tenth of one
	}
}

// TestWriteHasNoSecret looks for secrets that stood in everything that was given.
func TestWriteHasNoSecret(t *testing.T) {
	_, files := unzipped(t, written(t, aCase()))
	for name, text := range files {
		for _, secret := range []string{canary, hex.EncodeToString(key.Seed()), string(key.Seed())} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %q", name, secret)
			}
		}
	}
}

// TestFilesSayWhatWasSeen compares what stands in the files with what was given.
func TestFilesSayWhatWasSeen(t *testing.T) {
	_, files := unzipped(t, written(t, aCase()))
	for _, x := range []struct{ name, want string }{
		{verdictsName, `"state": "down",
      "from": "2026-11-22T10:02:33Z",
      "to": "2026-11-22T10:42:33Z",
      "since": "2026-11-22T10:02:03Z",
      "reason": "2 of 2 probes: connect_timeout",`},
		{verdictsName, `"part": "failures",`},
		{verdictsName, `"final_until": "2026-11-22T11:02:03Z"`},
		{incidentName, `"text": "Our carrier in Sydney has <no> answer yet."`},
		{incidentName, `"words": "IMAP is unreachable from Oceania."`},
		{incidentName, `"name": "null-route",`},
		{serversName, `"from": "192.0.2.25",`},
		{serversName, `"issuer": "Test CA <1>",`},
		{serversName, `"not_after": "2027-01-30T20:42:03Z",`},
		{serversName, `"network": "192.0.2.0/24",`},
		{probesName, `"low_ms": 12.3,`},
		{probesName, `"first_seq": 5000,`},
		{probesName, `"dropped": 10,`},
		{probesName, `"asn": 64496,`},
		{probesName, `"began": "2025-11-26T07:10:39.616Z",`},
		{planName, `"url": "https://mail.example.net/login",`},
		{planName, `"logs_in": true,`},
		{planName, `"receive": "imaps://mail.example.net/",`},
		{readmeName, "IMAP"},
		{readmeName, "varde-coordinator evidence verify FILE.zip --key KEY"},
		{summaryName, "Our carrier in Sydney has &lt;no&gt; answer yet."},
		{summaryName, "Northern Europe"},
		{summaryName, "that looks like a filter on the way"},
		{summaryName, "3,888 from 6 probes: 3,722 up, 160 down, 6 unknown"},
		{summaryName, "had to drop 10 observations"},
		{summaryName, "reported nothing"},
		{summaryName, "unreachable 40 min"},
		{summaryName, hex.EncodeToString(public())},
	} {
		if !strings.Contains(files[x.name], x.want) {
			t.Errorf("%s does not hold %q:\n%.3000s", x.name, x.want, files[x.name])
		}
	}
	for _, foreign := range []string{"<script", "http://", "https://", "<no>", "<SYN>", "<1>"} {
		if strings.Contains(strings.ReplaceAll(files[summaryName], "http://www.w3.org/2000/svg", ""), foreign) {
			t.Errorf("the summary holds %q", foreign)
		}
	}
}

// TestWriteOfAnything: an incident of which little is known is written too.
func TestWriteOfAnything(t *testing.T) {
	bare := Case{Incident: aCase().Incident, From: at(-60), Until: at(60), Observations: sight(nil).all(), Key: key}
	bare.Incident.Detected, bare.Incident.Resolved, bare.Incident.Recovered = time.Time{}, time.Time{}, time.Time{}
	_, files := unzipped(t, written(t, bare))
	for name, want := range map[string]string{planName: `"checks": []`, verdictsName: `"told": []`, probesName: "[]", serversName: `"addresses": []`, summaryName: "not when this was written"} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s: %s, want %s", name, files[name], want)
		}
	}
	long := aCase()
	long.From, long.Until = at(-60*24*400), at(60*24*30)
	if w := windowOf(long.From, long.Until); w.Cells() > maxCells+1 {
		t.Errorf("%d steps of %v, want at most %d", w.Cells(), w.Step, maxCells)
	}
	written(t, long)
}

func TestWriteRefuses(t *testing.T) {
	broken := errors.New("disk")
	for name, spoil := range map[string]func(*Case){
		"no incident":  func(c *Case) { c.Incident.ID = "" },
		"no window":    func(c *Case) { c.Until = c.From },
		"nothing seen": func(c *Case) { c.Observations = nil },
		"no key":       func(c *Case) { c.Key = nil },
		"an error":     func(c *Case) { c.Observations = func(yield func(Seen, error) bool) { yield(Seen{}, broken) } },
	} {
		c := aCase()
		spoil(&c)
		if err := Write(io.Discard, c); err == nil || name == "an error" && !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Write(full{}, aCase()); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a full disk: %v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// TestWriteIsBounded writes fifty thousand observations and keeps none of them.
func TestWriteIsBounded(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	c, before, most := aCase(), uint64(0), uint64(0)
	c.Observations = many(50_000, func(n int) {
		if n%10_000 == 0 {
			h := heap()
			if most = max(most, h); n == 10_000 {
				before = h
			}
		}
	})
	if err := Write(io.Discard, c); err != nil {
		t.Fatal(err)
	}
	if most > before+8<<20 {
		t.Errorf("the heap grew from %d to %d kB", before>>10, most>>10)
	}
}

// many are so many observations within the window; seen is called with each.
func many(n int, seen func(int)) iter.Seq2[Seen, error] {
	return func(yield func(Seen, error) bool) {
		for i := range n {
			start := at(-60).Add(time.Duration(i) * 200 * time.Minute / time.Duration(n))
			s := one([]string{"oceania-1", "eu-north-1"}[i%2], []string{"oceania", "eu-north"}[i%2], "imap-login", start, uint64(i+1))
			if seen(i); !yield(s, nil) {
				return
			}
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	for b.Loop() {
		c := aCase()
		c.Observations = many(100_000, func(int) {})
		if err := Write(io.Discard, c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(100_000*b.N)/b.Elapsed().Seconds(), "observations/s")
}
