package evidence

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
)

// Sizes and signatures of a ZIP file (APPNOTE.TXT, sections 4.3.7, 4.3.9 and 4.3.12).
const (
	localSize       = 30
	localSignature  = "PK\x03\x04"
	directoryBegins = "PK\x01\x02"
	descriptorSize  = 16
	descriptorLarge = 24
	hasDescriptor   = 0x8
)

// tiled says whether the files fill all that stands before the directory, each under
// the name that it has there. Otherwise a program that reads from the front would find
// other files than one that reads the directory, as we do.
func tiled(r io.ReaderAt, files []*zip.File) error {
	at := int64(0)
	list, err := inPlace(files)
	if err != nil {
		return err
	}
	for _, f := range list {
		head := make([]byte, localSize+len(f.Name))
		if _, err := r.ReadAt(head, at); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		name, extra := binary.LittleEndian.Uint16(head[26:]), binary.LittleEndian.Uint16(head[28:])
		begin := at + localSize + int64(name) + int64(extra)
		if string(head[:4]) != localSignature || int(name) != len(f.Name) || string(head[localSize:]) != f.Name || begin != f.begin {
			return fmt.Errorf("%s: it does not stand where the directory says, expected it at byte %d", f.Name, at)
		}
		at = begin + int64(f.CompressedSize64) + f.descriptor()
	}
	head := make([]byte, len(directoryBegins))
	if _, err := r.ReadAt(head, at); err != nil || string(head) != directoryBegins {
		return fmt.Errorf("got something else at byte %d, expected the directory after the last file", at)
	}
	return nil
}

// placed is a file with where its data begin.
type placed struct {
	*zip.File
	begin int64
}

// inPlace are the files in order of place.
func inPlace(files []*zip.File) ([]placed, error) {
	out := make([]placed, 0, len(files))
	for _, f := range files {
		begin, err := f.DataOffset()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		out = append(out, placed{f, begin})
	}
	slices.SortFunc(out, func(a, b placed) int { return int(min(1, max(-1, a.begin-b.begin))) })
	return out, nil
}

// descriptor is how much stands behind the data.
func (f placed) descriptor() int64 {
	switch {
	case f.Flags&hasDescriptor == 0:
		return 0
	case f.CompressedSize64 >= math.MaxUint32 || f.UncompressedSize64 >= math.MaxUint32:
		return descriptorLarge
	}
	return descriptorSize
}
