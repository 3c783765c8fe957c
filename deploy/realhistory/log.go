package realhistory

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Look is one look at a site that was written down.
type Look struct {
	At   time.Time
	Site string
	Up   bool
	// Status is that of HTTP, 0 where there was no answer.
	Status int
	// Took is how long the answer took.
	Took time.Duration
}

// looked is what a commit says that writes down a look, after its time.
var looked = regexp.MustCompile(`^(?:🟩|🟥|🟨) (.+) is (up|down|degraded) \((\d{1,3}) in (\d{1,7}) ms\)`)

// marked is how every such commit begins.
var marked = regexp.MustCompile(`^(?:🟩|🟥|🟨) `)

// ReadLog reads the looks, in order of time, of what this prints in a copy of the
// repository of a page:
//
//	git log --format='%cI %s'
//
// Commits that write down something else are passed over. The error names the line.
func ReadLog(r io.Reader) ([]Look, error) {
	var out []Look
	s := bufio.NewScanner(r)
	line := 0
	for s.Scan() {
		line++
		l, ok, err := readLook(s.Text())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if ok {
			out = append(out, l)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", line+1, err)
	}
	slices.SortStableFunc(out, func(a, b Look) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Site, b.Site)) })
	return out, nil
}

// readLook reads one line; ok is false where it is about something else.
func readLook(line string) (l Look, ok bool, err error) {
	const stamp = len("2006-01-02T15:04:05+00:00")
	if len(line) <= stamp || !marked.MatchString(line[stamp+1:]) {
		return l, false, nil
	}
	if l.At, err = time.Parse(time.RFC3339, line[:stamp]); err != nil {
		return l, false, fmt.Errorf("got %.40q, expected a time such as 2022-04-03T13:33:23+00:00", line)
	}
	of := looked.FindStringSubmatch(line[stamp+1:])
	if of == nil {
		return l, false, fmt.Errorf("got %.80q, expected SITE is up, down or degraded (STATUS in N ms)", line[stamp+1:])
	}
	l.At, l.Site, l.Up = l.At.UTC(), of[1], of[2] != "down"
	l.Status, _ = strconv.Atoi(of[3]) // digits, as they matched
	ms, _ := strconv.Atoi(of[4])
	l.Took = time.Duration(ms) * time.Millisecond
	return l, true, nil
}

// Outage is a time in which each look at a site failed.
type Outage struct {
	Site string
	// From is the first look that failed, To the first that did not; zero while there
	// was none.
	From, To time.Time
	// Status is that of the first look.
	Status int
}

// String says what the outage says.
func (o Outage) String() string {
	end, took := "the end", ""
	if !o.To.IsZero() {
		end, took = o.To.Format(time.RFC3339), " ("+o.To.Sub(o.From).Round(time.Minute).String()+")"
	}
	return fmt.Sprintf("%s down from %s to %s%s, status %d", o.Site, o.From.Format(time.RFC3339), end, took, o.Status)
}

// Outages are those that looks show, which are in order of time, by their beginning.
func Outages(looks []Look) (out []Outage) {
	open := map[string]int{} // 1 + the index of the outage of a site
	for _, l := range looks {
		i := open[l.Site]
		switch {
		case !l.Up && i == 0:
			out = append(out, Outage{Site: l.Site, From: l.At, Status: l.Status})
			open[l.Site] = len(out)
		case l.Up && i > 0:
			out[i-1].To, open[l.Site] = l.At, 0
		}
	}
	return out
}
