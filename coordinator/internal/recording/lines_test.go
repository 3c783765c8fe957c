package recording

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"varde/checks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// good is a line with nothing wrong in it.
const good = `{"check":"imap-login","service":"imap","probe":"osl-1","region":"eu-north","family":"ipv4","epoch":"0192f3a1c2d4-9b1c","seq":17,"plan":7,` +
	`"trigger":"schedule","scheduled":"2026-11-22T10:00:00Z","started":"2026-11-22T10:00:00.002Z","elapsed_ms":83.1,` +
	`"outcome":"down","failed_phase":"tls","class":"tls_timeout","detail":"no ServerHello within 5s",` +
	`"address":"192.0.2.25:993","phases":[{"name":"resolve","ms":1.2},{"name":"connect","ms":22.0},{"name":"tls","ms":5000}]}`

// file writes a recording.
func file(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read reads a recording to its end, or as far as it goes.
func read(r Source) (got []checks.Observation, err error) {
	err = r.Read(context.Background(), func(o *checks.Observation) error {
		kept := *o
		kept.Phases = slices.Clone(o.Phases)
		got = append(got, kept)
		return nil
	})
	return got, err
}

func zipped(t testing.TB, w io.WriteCloser, out *bytes.Buffer, data []byte) []byte {
	t.Helper()
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	return zipped(t, gzip.NewWriter(&b), &b, data)
}

func zstded(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return zipped(t, w, &b, data)
}

// A recording gives what was written, in order, however it is compressed and whether
// or not its last line has an end.
func TestLines(t *testing.T) {
	var want []checks.Observation
	var text bytes.Buffer
	for i := range 3000 { // several blocks
		o := observation(i)
		want = append(want, o)
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(append(b, '\n'))
	}
	plain := text.Bytes()
	two := slices.Concat(gzipped(t, plain[:1000]), gzipped(t, plain[1000:]))
	for name, data := range map[string][]byte{
		"plain": plain, "no end": bytes.TrimSuffix(plain, []byte("\n")), "gzip": gzipped(t, plain), "two gzip": two, "zstd": zstded(t, plain),
	} {
		var told int64
		path := file(t, data)
		for range 2 { // it can be read again
			got, err := read(Lines{Path: path, Names: []Names{names()}, Progress: func(n int64) { told = n }})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s: (-want +got)\n%s", name, diff)
			}
			if told != int64(len(data)) {
				t.Errorf("%s: told of %d bytes, want %d", name, told, len(data))
			}
		}
	}
}

// What may be missing is missing, and what probes add is taken.
func TestLeftOut(t *testing.T) {
	line := good
	for _, key := range []string{`"epoch":"0192f3a1c2d4-9b1c",`, `"seq":17,`, `"plan":7,`, `"detail":"no ServerHello within 5s",`, `"address":"192.0.2.25:993",`, `"failed_phase":"tls",`} {
		line = strings.Replace(line, key, "", 1)
	}
	line = strings.Replace(line, `"phases"`, `"tls":{"version":"1.3","chain":[{"subject":"a","issuer":"b","not_after":"2027-01-01T00:00:00Z","key_sha256":"ab"}]},"presented":{"banner":"hi"},"phases"`, 1)
	got, err := read(Lines{Path: file(t, []byte(line)), Names: []Names{names()}})
	if err != nil || len(got) != 1 || got[0].Epoch != "" || got[0].Seq != 0 || got[0].TLS.Version != "1.3" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A line says for how long it speaks, which may be not at all; where it says nothing it
// is as long as it may be.
func TestEvery(t *testing.T) {
	for key, want := range map[string]time.Duration{
		``: checks.MaxEvery, `"every_s":0,`: 0, `"every_s":10,`: 10 * time.Second, `"every_s":29.7504,`: 29_750 * time.Millisecond,
	} {
		line := strings.Replace(good, `"started"`, key+`"started"`, 1)
		got, err := read(Lines{Path: file(t, []byte(line)), Names: []Names{names()}})
		if err != nil || len(got) != 1 || got[0].Every != want {
			t.Errorf("%s: got %+v, %v, want %s", key, got, err, want)
		}
	}
}

// A fault names the line and says what is wrong; what comes after does not matter.
func TestFaults(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, tt := range map[string]struct{ old, new, want string }{
		"check":          {`"imap-login"`, `"pop"`, `check: got "pop", expected one of the checks of coordinator.yaml`},
		"region":         {`"eu-north"`, `"mars"`, `region: got "mars", expected one of the regions of coordinator.yaml`},
		"service":        {`"imap"`, `"pop"`, `service: got "pop", expected one of the services of coordinator.yaml`},
		"other service":  {`"imap"`, `"webmail"`, `service: got "webmail", expected "imap", which has the check imap-login in coordinator.yaml`},
		"probe":          {`"osl-1"`, `"OSL 1"`, `probe: "OSL 1" is not an id`},
		"no probe":       {`"probe":"osl-1",`, ``, `probe: missing`},
		"family":         {`"ipv4"`, `"ipx"`, `family "ipx" is not one of ["" "ipv4" "ipv6"]`},
		"no family":      {`"family":"ipv4",`, ``, `family: missing`},
		"epoch":          {`0192f3a1c2d4-9b1c`, `A b`, `epoch: "A b", expected a-z, 0-9 and -`},
		"trigger":        {`"schedule"`, `"whim"`, `trigger "whim" is not one of ["schedule" "confirm" "manual"]`},
		"no trigger":     {`"trigger":"schedule",`, ``, `trigger: missing`},
		"outcome":        {`"outcome":"down"`, `"outcome":"sideways"`, `outcome "sideways" is not one of ["unknown" "up" "down"]`},
		"no outcome":     {`"outcome":"down",`, ``, `outcome: missing`},
		"class":          {`"tls_timeout"`, `"tls_boredom"`, `class: "tls_boredom" is not known`},
		"class of up":    {`"outcome":"down"`, `"outcome":"up"`, `class: "tls_timeout" with outcome up, expected one exactly when not up`},
		"failed phase":   {`"failed_phase":"tls"`, `"failed_phase":"tea"`, `failed_phase: "tea" is not known`},
		"phase":          {`"name":"tls"`, `"name":"tea"`, `phases: "tea" is not known`},
		"phase below 0":  {`"ms":1.2`, `"ms":-1`, `phases: got -1 ms for resolve, expected 0 to 8.64e+07`},
		"elapsed":        {`83.1`, `1e300`, `elapsed_ms: got 1e+300, expected 0 to 8.64e+07`},
		"every":          {`"started"`, `"every_s":86400.5,"started"`, `every_s: got 86400.5, expected 0 to 86400`},
		"every below 0":  {`"started"`, `"every_s":-1,"started"`, `every_s: got -1, expected 0 to 86400`},
		"every a string": {`"started"`, `"every_s":"often","started"`, `every_s: got a string, expected a number`},
		"no elapsed":     {`"elapsed_ms":83.1,`, ``, `elapsed_ms: missing`},
		"seq":            {`17`, `-1`, `seq: got -1, expected a whole number of 0 or more`},
		"seq a string":   {`17`, `"17"`, `seq: got a string, expected a whole number of 0 or more`},
		"phases a word":  {`[{"name":"resolve","ms":1.2},{"name":"connect","ms":22.0},{"name":"tls","ms":5000}]`, `"many"`, `phases: got a string, expected a list`},
		"detail":         {`no ServerHello within 5s`, long, `detail: longer than 256 characters`},
		"escape":         {`no ServerHello within 5s`, `\u001b[2J`, `detail: "\x1b[2J", expected printable characters`},
		"a long address": {`192.0.2.25:993`, long, `address: "` + long[:64] + `", expected at most 64 printable bytes`},
		"time":           {`"2026-11-22T10:00:00Z"`, `"yesterday"`, `scheduled: parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"`},
		"no time":        {`"scheduled":"2026-11-22T10:00:00Z",`, ``, `scheduled: missing`},
		"long ago":       {`"2026-11-22T10:00:00.002Z"`, `"1969-11-22T10:00:00.002Z"`, `started: got 1969-11-22T10:00:00Z, expected the years 2000 to 2199`},
		"too late":       {`"2026-11-22T10:00:00.002Z"`, `"2026-11-24T10:00:00Z"`, `started: got 2026-11-24T10:00:00Z, expected at most 1h0m0s before and 24h0m0s after scheduled, 2026-11-22T10:00:00Z`},
		"unknown key":    {`"plan":7`, `"plan":7,"mood":1`, `mood: not a key of an observation`},
		"doubled key":    {`"plan":7`, `"plan":7,"plan":8`, `plan: stands there twice`},
		"other case":     {`"plan":7`, `"Plan":7`, `Plan: not a key of an observation`},
		"a list":         {good, `[` + good + `]`, `observation: got a list, expected an object`},
		"null":           {good, `null`, `check: missing`},
		"two":            {good, good + good, `not one JSON object, at byte 465: invalid character '{' after top-level value`},
		"half":           {`"seq":17`, `"seq`, `seq,: not a key of an observation`},
		"cut off":        {`,"phases":[{"name":"resolve","ms":1.2},{"name":"connect","ms":22.0},{"name":"tls","ms":5000}]}`, ``, `not one JSON object, at byte 372: unexpected EOF`},
		"nothing":        {good, ``, `not one JSON object, at byte 2: unexpected EOF`},
		"no UTF-8":       {`no ServerHello`, "no \xff\xfe", "not one JSON object, at byte 322: invalid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Count(good, tt.old) < 1 {
				t.Fatalf("%s is not in the line", tt.old)
			}
			text := good + "\n" + good + "\n" + strings.Replace(good, tt.old, tt.new, 1) + "\n" + good + "\n"
			path := file(t, []byte(text))
			_, err := read(Lines{Path: path, Names: []Names{names()}})
			if f, ok := errors.AsType[*Fault](err); !ok || f.Line != 3 || f.File != path || f.Problem != tt.want {
				t.Errorf("got %v\nwant %s:3: %s", err, path, tt.want)
			}
		})
	}
}

// A file that was cut off or damaged, or that grows and grows, ends with a fault; what
// came before it was read.
func TestDamaged(t *testing.T) {
	text := []byte(strings.Repeat(good+"\n", 2000))
	gz, zst := gzipped(t, text), zstded(t, text)
	damaged := slices.Clone(gz)
	damaged[len(damaged)-6] ^= 1 // in the sum
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"gzip cut off":  {gz[:len(gz)-20], ": cannot be read on: unexpected EOF"},
		"gzip damaged":  {damaged, "2001: cannot be read on: gzip: invalid checksum"},
		"gzip head":     {gz[:5], "1: gzip: unexpected EOF"},
		"zstd cut off":  {zst[:len(zst)-20], ": cannot be read on: unexpected EOF"},
		"empty":         {nil, "1: got an empty file, expected observations"},
		"empty gzip":    {gzipped(t, nil), "1: got an empty file, expected observations"},
		"another file":  {[]byte("PK\x03\x04 something"), "1: not one JSON object, at byte 1: invalid character 'P' at start of value"},
		"a long line":   {bytes.Repeat([]byte(" "), 2<<20), "1: longer than 262144 bytes, expected one observation a line"},
		"no lines":      {gzipped(t, make([]byte, 1<<20)), "1: longer than 262144 bytes, expected one observation a line"},
		"longer by one": {slices.Concat(text, []byte(good), bytes.Repeat([]byte(" "), maxLine), []byte("\n"), text), "2001: longer than 262144 bytes, expected one observation a line"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(Lines{Path: file(t, tt.data), Names: []Names{names()}})
			if f, ok := errors.AsType[*Fault](err); !ok || !strings.HasSuffix(f.Error(), tt.want) {
				t.Errorf("got %v, want a fault that ends with %q", err, tt.want)
			}
		})
	}
}

// Lines that are all alike come to an end.
func TestGrowth(t *testing.T) {
	line := []byte(good + strings.Repeat(" ", maxLine-len(good)-1) + "\n")
	got, err := read(Lines{Path: file(t, zstded(t, bytes.Repeat(line, 100))), Names: []Names{names()}})
	f, ok := errors.AsType[*Fault](err)
	if !ok || f.Problem != "grows to more than 1000 times its size, expected observations" || len(got) > freely/maxLine+1 {
		t.Errorf("got %v after %d lines", err, len(got))
	}
}

// Whoever has enough says so, and the reading ends with that and no goroutine.
func TestEnough(t *testing.T) {
	enough, n := errors.New("enough"), 0
	l := Lines{Path: record(t, 20_000), Names: []Names{names()}}
	err := l.Read(t.Context(), func(*checks.Observation) error {
		n++
		return enough
	})
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("got %v after %d, want enough after the first", err, n)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	err = l.Read(ctx, func(*checks.Observation) error {
		cancel(enough)
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("got %v, want the cause", err)
	}
	if _, err := read(Lines{Path: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want no such file", err)
	}
}

// FuzzLines: no bytes make it panic, and what it takes is written and taken again.
func FuzzLines(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(good + "\n" + good + "\n"))
	f.Add(gzipped(f, []byte(good)))
	f.Add(zstded(f, []byte(good)))
	f.Add([]byte("\x28\xb5\x2f\xfd\xff\xff"))
	l := Lines{Path: "r", Names: []Names{names()}}
	d := newDecoder(l.Names)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := newStream(bytes.NewReader(data), nil)
		if err != nil {
			return
		}
		defer s.close()
		_ = l.split(s, func(b *block) error {
			if b.err != nil {
				return b.err
			}
			l.decode(d, b)
			for _, o := range b.list {
				again(t, d, o)
			}
			return b.err
		})
	})
}

// again writes an observation and reads it.
func again(t *testing.T, d *decoder, o checks.Observation) {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.decode(b)
	if err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if diff := cmp.Diff(o, got); diff != "" {
		t.Fatalf("written and read again (-want +got):\n%s", diff)
	}
}
