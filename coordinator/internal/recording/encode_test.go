package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// TestEncodersWriteWhatIsRead: a recording in any form is read as what was written, and
// a table has as many rows.
func TestEncodersWriteWhatIsRead(t *testing.T) {
	fetch := func(w io.Writer) error {
		e := json.NewEncoder(w)
		for i := range 500 {
			if err := e.Encode(observation(i)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, name := range []string{"x.jsonl", "x.jsonl.gz", "x.jsonl.zst", "x.parquet"} {
		encode, err := EncoderOf(name)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if n, err := encode(&b, fetch); n != 500 || err != nil {
			t.Errorf("%s: %d, %v, want 500", name, n, err)
		}
		if name == "x.parquet" {
			if file, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len())); err != nil || file.NumRows() != 500 {
				t.Errorf("%s cannot be read: %v", name, err)
			}
			continue
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		source, err := At(Options{Path: path, Names: []Names{names()}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := read(source); len(got) != 500 || err != nil {
			t.Errorf("%s: read %d, %v, want 500", name, len(got), err)
		}
	}
}

// TestEncodersFail with what they write to, and with where they write from.
func TestEncodersFail(t *testing.T) {
	gone := errors.New("disk is gone")
	for _, name := range []string{"", "x.jsonl", "x.jsonl.gz", "x.jsonl.zst", "x.parquet"} {
		encode, err := EncoderOf(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := encode(io.Discard, func(w io.Writer) error { _, err := io.WriteString(w, "{"); return errors.Join(err, gone) }); !errors.Is(err, gone) {
			t.Errorf("%q from something broken: %v", name, err)
		}
		long := func(w io.Writer) error { // longer than any buffer
			for range 20_000 {
				if _, err := io.Copy(w, bytes.NewReader(append(line(t), '\n'))); err != nil {
					return err
				}
			}
			return nil
		}
		if _, err := encode(failing{}, long); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%q to something broken: %v", name, err)
		}
	}
	if _, err := EncoderOf("x.csv"); err == nil {
		t.Error("x.csv is taken")
	}
}

func line(t *testing.T) []byte {
	t.Helper()
	b, err := json.Marshal(observation(1))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
