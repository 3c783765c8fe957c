package mailpolicy

import (
	"slices"
	"strings"
	"testing"
)

func TestReadPolicy(t *testing.T) {
	const good = "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1\n"
	for _, tt := range []struct {
		name, text string
		want       policy
		err        string
	}{
		{"good", good, policy{modeEnforce, []string{"a.example"}}, ""},
		{"CRLF, no end, spaces", "version:STSv1\r\nmode: \t testing \r\nmx:\tB.example.  \r\nmx: *.c.example\r\n\r\nmax_age: 31557600", policy{modeTesting, []string{"b.example", "*.c.example"}}, ""},
		{"more fields, any order", "x-y: z\nmax_age: 0\nmx: a\nmode: enforce\nversion: STSv1", policy{modeEnforce, []string{"a"}}, ""},
		{"the first of two", good + "mode: none\nversion: STSv2\n", policy{modeEnforce, []string{"a.example"}}, ""},
		{"none without mx", "version: STSv1\nmode: none\nmax_age: 1", policy{mode: modeNone}, ""},
		{"empty", "", policy{}, `version: "", expected STSv1`},
		{"other version", strings.Replace(good, "v1", "v2", 1), policy{}, `version: "STSv2", expected STSv1`},
		{"other mode", strings.Replace(good, "enforce", "Enforce", 1), policy{}, `mode: "Enforce", expected enforce, testing or none`},
		{"no age", strings.Replace(good, "max_age: 1", "", 1), policy{}, `max_age: "", expected seconds up to 31557600`},
		{"too old", strings.Replace(good, "max_age: 1", "max_age: 31557601", 1), policy{}, `max_age: "31557601", expected seconds up to 31557600`},
		{"negative", strings.Replace(good, "max_age: 1", "max_age: -1", 1), policy{}, `max_age: "-1", expected seconds up to 31557600`},
		{"no mx", strings.Replace(good, "mx: a.example\n", "", 1), policy{}, "no mx, expected at least one"},
		{"odd mx", good + "mx: *", policy{}, `mx: "*", expected a name, or *. and a name`},
		{"asterisk inside", good + "mx: a.*.example", policy{}, `mx: "a.*.example", expected a name, or *. and a name`},
		{"two labels empty", good + "mx: a..example", policy{}, `mx: "a..example", expected a name, or *. and a name`},
		{"no colon", good + "hello", policy{}, `the line "hello", expected key: value`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readPolicy(tt.text)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("got %v, want %s", err, tt.err)
				}
			} else if err != nil || got.mode != tt.want.mode || !slices.Equal(got.patterns, tt.want.patterns) {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestAllows(t *testing.T) {
	p := policy{patterns: []string{"a.example", "*.b.example"}}
	for host, want := range map[string]bool{
		"a.example": true, "x.b.example": true, "b.example": false, "x.y.b.example": false, "x.a.example": false, "example": false, "": false,
	} {
		if got := p.allows(host); got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
}

func TestAnnounced(t *testing.T) {
	for _, tt := range []struct {
		texts []string
		is    bool
		err   string
	}{
		{nil, false, ""},
		{[]string{"v=spf1 -all", "v=STSv12; id=1", "V=STSv1; id=1", "v=STS"}, false, ""},
		{[]string{"v=STSv1; id=20160831085700Z;", "other"}, true, ""},
		{[]string{"v=STSv1;id=1"}, true, ""},
		{[]string{"v=STSv1 ; id=1 ; x-y=z ;"}, true, ""},
		{[]string{"v=STSv1; id=1", "v=STSv1; id=1"}, true, "2 records of v=STSv1, expected one"},
		{[]string{"v=STSv1"}, true, "0 ids, expected one: v=STSv1; id=ID;"},
		{[]string{"v=STSv1;"}, true, "0 ids, expected one: v=STSv1; id=ID;"},
		{[]string{"v=STSv1; id=1; id=2"}, true, "2 ids, expected one: v=STSv1; id=ID;"},
		{[]string{"v=STSv1; id="}, true, `id="", expected 1 to 32 letters and digits`},
		{[]string{"v=STSv1; id=2026-01-01"}, true, `id="2026-01-01", expected 1 to 32 letters and digits`},
		{[]string{"v=STSv1; id=" + strings.Repeat("1", 33)}, true, `id="` + strings.Repeat("1", 33) + `", expected 1 to 32 letters and digits`},
		{[]string{"v=STSv1 id=1"}, true, `the field "id=1", expected v=STSv1; id=ID;`},
		{[]string{"v=STSv1; id=1; hello"}, true, `the field "hello", expected v=STSv1; id=ID;`},
	} {
		is, err := announced(tt.texts)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if is != tt.is || got != tt.err {
			t.Errorf("%q: got %v, %q, want %v, %q", tt.texts, is, got, tt.is, tt.err)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	for _, s := range []string{"version: STSv1\r\nmode: enforce\r\nmx: *.a.example\r\nmax_age: 1\r\n", "mode", ":", "mx: *.", "version: STSv1\nmode: none\nmax_age: 0", "\x00\xff: \n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := readPolicy(text)
		if err == nil && (p.mode == "" || p.demands() && len(p.patterns) == 0) {
			t.Errorf("%q is a policy: %+v", text, p)
		}
		if p.allows("") {
			t.Errorf("%q allows nobody", text)
		}
		for _, pattern := range p.patterns {
			if err == nil && !p.allows(strings.Replace(pattern, "*", "x", 1)) {
				t.Errorf("%q does not allow %q", text, pattern)
			}
		}
	})
}

func FuzzAnnounced(f *testing.F) {
	for _, s := range []string{"v=STSv1; id=20160831085700Z;", "v=STSv1", "v=STSv1;;=;id=", "v=spf1", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		is, err := announced([]string{text})
		switch {
		case err != nil && !is:
			t.Errorf("%q is none and broken: %v", text, err)
		case is && err == nil && (!strings.HasPrefix(text, "v=STSv1") || !strings.Contains(text, "id=")):
			t.Errorf("%q announces a policy", text)
		}
		if twice, err := announced([]string{text, text}); is && (!twice || err == nil) {
			t.Errorf("%q twice: %v", text, err)
		}
	})
}
