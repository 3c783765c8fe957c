package selfcheck

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"varde/proto/durable"
)

// maxFile bounds the record on disk, in bytes; it needs some hundred.
const maxFile = 64 << 10

func path(dir string) string { return filepath.Join(dir, "ports.json") }

// read returns what is on disk, nothing where there is no file.
func read(dir string) (map[uint16]record, error) {
	ports := map[uint16]record{}
	f, err := os.Open(path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return ports, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxFile)).Decode(&ports); err != nil || ports == nil {
		return nil, fmt.Errorf("read %s: %w, expected ports with the times at which they worked or failed", path(dir), cmp.Or(err, io.ErrUnexpectedEOF))
	}
	return ports, nil
}

// write replaces the file as a whole.
func write(dir string, ports map[uint16]record) error {
	b, err := json.MarshalIndent(ports, "", "  ")
	if err != nil {
		return err
	}
	return durable.Replace(path(dir), append(b, '\n'))
}
