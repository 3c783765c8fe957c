package evidence

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
)

// zipped makes a file of files, in order of their names.
func zipped(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		put(t, w, &zip.FileHeader{Name: name, Method: zip.Deflate}, files[name])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func put(t testing.TB, w *zip.Writer, h *zip.FileHeader, text string) {
	t.Helper()
	f, err := w.CreateHeader(h)
	if err == nil {
		_, err = io.WriteString(f, text)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// short is a case of which little was seen.
func short() Case {
	c := aCase()
	c.Observations = aDay()[:20].all()
	return c
}

// TestVerifyFindsEveryChange changes every file, leaves every one out, and adds one.
func TestVerifyFindsEveryChange(t *testing.T) {
	_, files := unzipped(t, written(t, short()))
	if _, err := verified(zipped(t, files), public()); err != nil {
		t.Fatalf("unchanged: %v", err)
	}
	try := func(what, name string, changed map[string]string) {
		t.Helper()
		_, err := verified(zipped(t, changed), nil)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s %s: %v, want an error that names it", what, name, err)
		}
	}
	for name, text := range files {
		changed := maps.Clone(files)
		changed[name] = strings.Replace(text, text[len(text)/2:len(text)/2+1], "~", 1)
		named := name
		if name == manifestName {
			named = signatureName // which does not fit any more
		}
		try("changed", named, changed)
		changed[name] = text + "\n"
		try("longer", named, changed)
		delete(changed, name)
		try("left out", name, changed)
	}
	changed := maps.Clone(files)
	changed["more.txt"] = "hello"
	try("added", "more.txt", changed)
	delete(changed, planName)
	try("replaced", planName, changed)
}

// TestVerifyKnowsTheKey: what somebody else signed, and what the key signed for another
// purpose, is not evidence.
func TestVerifyKnowsTheKey(t *testing.T) {
	other := ed25519.NewKeyFromSeed([]byte("fedcba9876543210fedcba9876543210"))
	c := short()
	c.Key = other
	if _, err := verified(written(t, c), public()); err == nil || !strings.Contains(err.Error(), "expected "+publicOf(key)) {
		t.Errorf("another key: %v", err)
	}
	_, files := unzipped(t, written(t, short()))
	text := []byte(files[manifestName])
	good, err := parseSeal([]byte(files[signatureName]))
	if err != nil {
		t.Fatal(err)
	}
	for name, message := range map[string][]byte{
		"a plan":             append([]byte("varde plan v1\n"), text...),
		"the manifest alone": text,
		"nothing before it":  append([]byte(good.head()), text...),
	} {
		forged := good
		forged.signature = ed25519.Sign(key, message)
		files[signatureName] = string(forged.text())
		if _, err := verified(zipped(t, files), public()); !errors.Is(err, errSignature) {
			t.Errorf("signed as %s: %v", name, err)
		}
	}
	claims := good
	claims.authority[0]++
	files[signatureName] = string(claims.text())
	if _, err := verified(zipped(t, files), public()); !errors.Is(err, errSignature) {
		t.Errorf("another authority: %v", err)
	}
}

// TestVerifyRefusesHostileFiles wants an error that names the file inside.
func TestVerifyRefusesHostileFiles(t *testing.T) {
	_, files := unzipped(t, written(t, short()))
	for name, x := range map[string]struct {
		header  *zip.FileHeader
		text    string
		comment string
		want    string
	}{
		"above":      {header: &zip.FileHeader{Name: "../../etc/passwd"}, want: `"../../etc/passwd"`},
		"absolute":   {header: &zip.FileHeader{Name: "/etc/passwd"}, want: `"/etc/passwd"`},
		"backslash":  {header: &zip.FileHeader{Name: `..\x`}, want: `"..\\x"`},
		"below":      {header: &zip.FileHeader{Name: "a/b"}, want: `"a/b"`},
		"folder":     {header: &zip.FileHeader{Name: "a/"}, want: `"a/"`},
		"hidden":     {header: &zip.FileHeader{Name: ".bashrc"}, want: `".bashrc"`},
		"no name":    {header: &zip.FileHeader{}, want: `""`},
		"line feed":  {header: &zip.FileHeader{Name: "a\nb"}, want: `"a\nb"`},
		"long":       {header: &zip.FileHeader{Name: strings.Repeat("a", 65)}, want: "aaa"},
		"twice":      {header: &zip.FileHeader{Name: planName}, want: planName + ": there are two"},
		"commented":  {header: &zip.FileHeader{Name: "x", Comment: "hello"}, want: "x: it is not an ordinary file"},
		"a bomb":     {header: &zip.FileHeader{Name: "x", Method: zip.Deflate}, text: strings.Repeat("0", 60<<20), want: "x: it would take 62914560 bytes"},
		"of comment": {comment: "hello", want: "comment of 5 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			w := zip.NewWriter(&b)
			for _, n := range slices.Sorted(maps.Keys(files)) {
				put(t, w, &zip.FileHeader{Name: n, Method: zip.Deflate}, files[n])
			}
			if x.header != nil {
				put(t, w, x.header, x.text)
			}
			if err := errors.Join(w.SetComment(x.comment), w.Close()); err != nil {
				t.Fatal(err)
			}
			if _, err := verified(b.Bytes(), nil); err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("got %v, want %q", err, x.want)
			}
		})
	}
	link := &zip.FileHeader{Name: "x"}
	link.SetMode(0o777 | 1<<27) // a symbolic link
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	put(t, w, link, "/etc/passwd")
	for range maxFiles {
		put(t, w, &zip.FileHeader{Name: "y"}, "")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := verified(b.Bytes(), nil); err == nil || !strings.Contains(err.Error(), "got 65 files") {
		t.Errorf("many files: %v", err)
	}
	if _, err := verified(zipped(t, map[string]string{manifestName: strings.Repeat("x", maxManifest+1), signatureName: "x"}), nil); err == nil || !strings.Contains(err.Error(), manifestName) {
		t.Errorf("a long manifest: %v", err)
	}
	if _, err := verified([]byte("no archive"), nil); err == nil {
		t.Error("no archive: no error")
	}
}

// TestVerifyReadsNoMoreThanItSays: a header that says less than there is.
func TestVerifyReadsNoMoreThanItSays(t *testing.T) {
	data := written(t, short())
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		f.UncompressedSize64 /= 2
		if _, err := unpack(f, io.Discard); err == nil || !strings.Contains(err.Error(), f.Name) {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

// TestVerifyReadsAsOthersDo: programs that read from the front must find the same files.
func TestVerifyReadsAsOthersDo(t *testing.T) {
	good := string(written(t, short()))
	for name, data := range map[string]string{
		"another name at the front":  strings.Replace(good, "README.txt", "READMF.txt", 1),
		"a longer name at the front": strings.Replace(good, "README.txt", "README.txtx", 1),
		"something before":           "#!/bin/sh\n" + good,
		"something between":          strings.Replace(good, "PK\x03\x04", "PK\x03\x04PK\x03\x04", 2),
		"something behind":           strings.Replace(good, "PK\x01\x02", "hello PK\x01\x02", 1),
	} {
		if _, err := verified([]byte(data), nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestManifestIsStrict(t *testing.T) {
	line := strings.Repeat("0", 64) + "  a.txt\n"
	if list, err := parseManifest([]byte(line)); err != nil || len(list) != 1 || string(manifest(list)) != line {
		t.Errorf("good: %v, %v", list, err)
	}
	for name, text := range map[string]string{
		"empty": "", "no line feed": strings.TrimSuffix(line, "\n"), "upper case": strings.Repeat("A", 64) + "  a.txt\n", "short": line[1:],
		"binary": strings.Replace(line, "  ", " *", 1), "twice": line + line, "escaped": "\\" + line, "carriage return": strings.Replace(line, "\n", "\r\n", 1),
		"itself": strings.Replace(line, "a.txt", manifestName, 1), "blank line": line + "\n",
	} {
		if _, err := parseManifest([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), manifestName+":") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := sign(key, nil, []byte(line))
	if err != nil {
		t.Fatal(err)
	}
	good := string(s.text())
	for name, text := range map[string]string{
		"empty": "", "another purpose": strings.Replace(good, "evidence", "plan", 1), "no key": strings.Replace(good, "key: ", "kee: ", 1),
		"short": good[:100], "more": good + "\n", "no line feed": good[:len(good)-1], "two keys": strings.Replace(good, "authority", "key: 00\nauthority", 1),
		"upper case": strings.Replace(good, "key: ", "key: A", 1), "signature": good[:strings.Index(good, "signature: ")+11] + base64.StdEncoding.EncodeToString([]byte("x")) + "\n",
	} {
		if _, err := parseSeal([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), signatureName+":") {
			t.Errorf("seal, %s: %v", name, err)
		}
	}
}

// FuzzVerify: whatever is read, it ends soon, and is right only if it was written so.
func FuzzVerify(f *testing.F) {
	var tiny bytes.Buffer
	b := &bundle{zip: zip.NewWriter(&tiny), at: started}
	err := errors.Join(b.add("a.txt", func(w io.Writer) error { _, err := io.WriteString(w, "hello"); return err }), b.seal(short()))
	good := tiny.Bytes()
	if _, bad := verified(good, public()); err != nil || bad != nil {
		f.Fatal(err, bad)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(zipped(f, map[string]string{manifestName: strings.Repeat("0", 64) + "  a\n", signatureName: domain, "a": ""}))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := verified(data, public())
		if err == nil && (!r.Trusted || len(r.Files) == 0) {
			t.Errorf("verified: %+v", r)
		}
	})
}

// FuzzManifest: what is read is what was written.
func FuzzManifest(f *testing.F) {
	f.Add(strings.Repeat("0", 64) + "  a.txt\n")
	f.Add(strings.Repeat("f", 64) + "  a\n" + strings.Repeat("0", 64) + "  b\n")
	s, err := sign(key, nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(s.text()))
	f.Fuzz(func(t *testing.T, text string) {
		if list, err := parseManifest([]byte(text)); err == nil && string(manifest(list)) != text {
			t.Errorf("a manifest %q became %q", text, manifest(list))
		}
		if s, err := parseSeal([]byte(text)); err == nil && string(s.text()) != text {
			t.Errorf("a seal %q became %q", text, s.text())
		}
	})
}
