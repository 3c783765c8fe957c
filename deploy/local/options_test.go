package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	services := []string{"webmail", "imap", "smtp"}
	o, err := parse([]string{"--for", "2m", "--http", "127.0.0.1:0", "--break", "imap@oceania"}, services, nil, nil)
	if err != nil || o.For != 2*time.Minute || o.HTTP != "127.0.0.1:0" || o.Ops != "127.0.0.1:8081" ||
		o.breakService != "imap" || o.breakRegion != "oceania" || len(o.targets) != 0 {
		t.Errorf("got %+v, %v", o, err)
	}
	o, err = parse([]string{"--break", "imaps-imap-example-org@us-east", "https://www.example.org/", "imaps://imap.example.org"}, services, nil, nil)
	if err != nil || len(o.targets) != 2 || o.breakService != "imaps-imap-example-org" {
		t.Fatalf("got %+v, %v", o, err)
	}
	for _, target := range o.targets {
		if target.Every != 5*time.Second || target.Service != target.ID {
			t.Errorf("got %+v, want every 5s and a service of its own", target)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, x := range []struct{ args, want string }{
		{"--http 8080", `--http: got "8080", expected host:port`},
		{"--for=-1s", `--for: got -1s, expected a time above zero`},
		{"--break imap", `--break: got "imap", expected SERVICE@REGION with one of webmail, imap and one of eu-north, us-east, oceania`},
		{"--break pop@oceania", `--break: got "pop@oceania", expected SERVICE@REGION with one of webmail, imap and one of eu-north, us-east, oceania`},
		{"--break imap@mars", `--break: got "imap@mars", expected SERVICE@REGION with one of webmail, imap and one of eu-north, us-east, oceania`},
		{"--break imap@oceania https://www.example.org/", `--break: got "imap@oceania", expected SERVICE@REGION with one of https-www-example-org and one of eu-north, us-east, oceania`},
		{"gopher://example.org", `gopher://example.org: url: scheme "gopher"`},
		{"https://a.example https://a.example", `https://a.example: got it again as https-a-example, expected each once`},
		{"--fly", `unknown flag --fly`},
	} {
		_, err := parse(strings.Fields(x.args), []string{"webmail", "imap"}, nil, nil)
		if err == nil || !strings.HasPrefix(err.Error(), x.want) {
			t.Errorf("%s: got %v, want %s", x.args, err, x.want)
		}
	}
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	_, err := parse([]string{"--help"}, nil, &out, &out)
	if !errors.Is(err, errHelp) || !strings.Contains(out.String(), "go run ./deploy/local --break imap@oceania") {
		t.Errorf("got %v and %s, want help with an example", err, out.String())
	}
}
