package catalog_test

import (
	"strings"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
)

// banners are the behaviours of servers of which only a greeting is expected.
func banners() []behaviour {
	const phase, mismatch, timeout = checks.Greeting, checks.BodyMismatch, checks.GreetingTimeout
	plain := to(checks.TCP, "tcp://"+ct.LabName+":2222", ":2222")
	ssh := checks.Expect{Banner: "SSH-2.0"}
	in := []ask{plain.expects(ssh), secured(checks.TCP).expects(ssh).after("TLS\n")}
	none := []ask{plain, secured(checks.TCP).after("TLS\n")}
	return []behaviour{
		{"silent", in, plays(ct.Silence()), phase, timeout, 5 * time.Second},
		{"a byte a second of banner", in, plays(ct.Drip("SSH-2.0-x\r\n", time.Second)), phase, timeout, 5 * time.Second},
		{"an endless banner", in, plays(ct.Flood(strings.Repeat("x", 1<<10))), phase, mismatch, 0},
		{"another banner", in, says("220 mail ESMTP\r\n"), phase, mismatch, 0},
		{"NULs and invalid UTF-8 for a banner", in, says("\x00\xff\xfe\x1b[2J\r\n"), phase, mismatch, 0},
		{"closes before its banner", in, plays(ct.Wait(time.Second), ct.Hangup()), phase, checks.Closed, time.Second},
		{"half closes before its banner", in, plays(ct.HalfClose(), ct.Silence()), phase, checks.Closed, 0},
		{"resets before its banner", in, plays(ct.Break()), phase, checks.Closed, 0},
		{"never leaves", append(none, in...), plays(ct.Send("SSH-2.0-x\r\n"), ct.Wait(time.Hour)), "", "", 0},
		{"never ends what it says", none, plays(ct.Flood("hello\r\n")), "", "", 0},
		{"nothing wrong", in, says("SSH-2.0-x\r\n"), "", "", 0},
	}
}
