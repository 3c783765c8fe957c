package incident_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"varde/checks"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

// failing has so many runs fail when they connect, at the login, and when they wait for
// an answer.
func failing(connects, logins, answers int) option {
	return func(c *verdict.Change) {
		c.Evidence.Ways = nil
		for _, w := range []verdict.Way{
			{Phase: checks.Connect, Class: checks.ConnectTimeout, Runs: connects},
			{Phase: checks.Auth, Class: checks.AuthTimeout, Runs: logins},
			{Phase: checks.FirstByte, Class: checks.CommandTimeout, Runs: answers},
		} {
			if w.Runs > 0 {
				c.Evidence.Ways = append(c.Evidence.Ways, w)
			}
		}
		slices.SortFunc(c.Evidence.Ways, verdict.Way.Compare)
		c.Evidence.Phase, c.Evidence.Class = c.Evidence.Ways[0].Phase, c.Evidence.Ways[0].Class
	}
}

// Trouble is of the group that two thirds of the failures are of, else it is mixed; and
// it joins whatever has a group of a sixth of them.
func TestGroupsOfAMember(t *testing.T) {
	for _, tt := range []struct {
		connects, logins, answers int
		group                     incident.Group
		groups                    []incident.Group
	}{
		{4, 0, 0, incident.Reach, []incident.Group{incident.Reach}},
		{4, 0, 2, incident.Reach, []incident.Group{incident.Answers, incident.Reach}},
		{3, 0, 2, incident.Mixed, []incident.Group{incident.Answers, incident.Reach}},
		{1, 0, 5, incident.Answers, []incident.Group{incident.Answers, incident.Reach}},
		{1, 0, 6, incident.Answers, []incident.Group{incident.Answers}},
		{2, 2, 2, incident.Mixed, []incident.Group{incident.Answers, incident.Login, incident.Reach}},
	} {
		i := only(t, told(turn("09:00", "web", "oceania", flaps, failing(tt.connects, tt.logins, tt.answers))))
		if m := i.Members[0]; m.Group != tt.group || i.Key.Group != tt.group || !slices.Equal(m.Groups, tt.groups) {
			t.Errorf("%d, %d, %d: got %s of %s, want %s of %s", tt.connects, tt.logins, tt.answers, m.Group, m.Groups, tt.group, tt.groups)
		}
	}
}

// Failures that are of several groups by halves are one cause, in whatever order the
// regions are told; such that have nothing in common are as many as they are.
func TestMixedCauses(t *testing.T) {
	region := func(clock, where string, connects, logins, answers int) verdict.Change {
		return turn(clock, "web", where, flaps, failing(connects, logins, answers))
	}
	for _, tt := range []struct {
		name    string
		changes []verdict.Change
		want    int
	}{
		{"more of the one here and of the other there", []verdict.Change{region("09:00", "oceania", 5, 0, 1), region("09:01", "us-east", 1, 0, 5)}, 1},
		{"both by halves", []verdict.Change{region("09:00", "oceania", 3, 0, 3), region("09:01", "us-east", 3, 0, 3)}, 1},
		{"the one, then both, then the other alone", []verdict.Change{
			region("09:00", "oceania", 4, 0, 0), region("09:01", "us-east", 3, 0, 3), region("09:02", "eu-north", 0, 0, 4),
		}, 1},
		{"the one, which becomes the other, then the other elsewhere", []verdict.Change{
			region("09:00", "oceania", 6, 0, 0), turn("09:01", "web", "oceania", slow, failing(0, 0, 9)), region("09:02", "eu-north", 0, 0, 6),
		}, 1},
		{"the one here and the other there", []verdict.Change{region("09:00", "oceania", 6, 0, 0), region("09:01", "us-east", 0, 0, 6)}, 2},
		{"a single run of the other", []verdict.Change{region("09:00", "oceania", 6, 0, 0), region("09:01", "us-east", 1, 0, 9)}, 2},
		{"both mixed of what has nothing in common", []verdict.Change{
			turn("09:00", "loop", "oceania", flaps, mixed(checks.Late, checks.CertName)), region("09:01", "us-east", 3, 0, 3),
		}, 2},
		{"both, and again when it is closed for good", []verdict.Change{
			region("09:00", "oceania", 3, 0, 3), turn("09:10", "web", "oceania", up), region("09:28:01", "us-east", 3, 0, 3),
		}, 2},
	} {
		if got := told(tt.changes...).Incidents(); len(got) != tt.want {
			t.Errorf("%s: got %d incidents, want %d", tt.name, len(got), tt.want)
		}
	}
}

// mixed has as many runs fail in the one way as in the other.
func mixed(classes ...checks.Class) option {
	return func(c *verdict.Change) {
		for _, class := range classes {
			c.Evidence.Ways = append(c.Evidence.Ways, verdict.Way{Class: class, Runs: 3})
		}
	}
}

// Of two incidents of one time and service, trouble of both kinds is of that which began
// with the same group, not of the older one.
func TestMixedChoice(t *testing.T) {
	for group, n := range map[incident.Group][2]int{incident.Reach: {5, 1}, incident.Answers: {1, 5}} {
		b := told(
			turn("09:00", "web", "oceania", flaps, failing(6, 0, 0)), turn("09:01", "web", "us-east", flaps, failing(0, 0, 6)),
			turn("09:02", "web", "eu-north", flaps, failing(n[0], 0, n[1])),
		)
		for _, i := range b.Incidents() {
			if has := len(i.Members) == 2; has != (i.Key.Group == group) {
				t.Errorf("%s: got %d members in that of %s", group, len(i.Members), i.Key.Group)
			}
		}
	}
}

// What is told of mixed trouble does not claim that all of it is of one kind.
func TestMixedWords(t *testing.T) {
	i := only(t, told(turn("09:00", "web", "oceania", flaps, failing(3, 0, 2))))
	want := "Webmail (web) cannot be used at times from Oceania since 21 Oct 2021, 09:00 UTC: TCP connects time out, among other failures, seen by 3 of 3 probes; it comes and goes."
	if got := incident.Summary(world(), i); strings.ReplaceAll(got, " over IPv4", "") != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The final record of a lossy path is that of one incident, of whatever kind it was
// told as.
func TestMixedReconciled(t *testing.T) {
	b := told(turn("09:00", "web", "oceania", flaps, failing(5, 0, 1)), turn("09:10", "web", "oceania", up))
	b.Advance(at("09:20"))
	final := incident.Derive(world(), incident.Policy{}, []verdict.Change{
		turn("09:01", "web", "oceania", flaps, failing(2, 0, 4)), turn("09:10", "web", "oceania", up),
	}, at("09:20"))
	got := incident.Reconcile(world(), b.Incidents(), final, at("10:20"))
	if len(got) != 1 || got[0].Unshown || !slices.Equal(got[0].Final, []string{final[0].ID}) {
		t.Errorf("got %+v", got)
	}
}

// What a former version kept says of what group it was by its Group alone.
func TestMembersOfFormerVersions(t *testing.T) {
	i := only(t, told(turn("09:00", "web", "oceania", down)))
	i.Members[0].Groups = nil
	text, err := json.Marshal(i)
	if err != nil || strings.Contains(string(text), "groups") {
		t.Fatalf("got %s, %v", text, err)
	}
	b := told()
	b.Restore([]incident.Incident{i})
	b.Observe(turn("09:01", "web", "us-east", flaps, failing(1, 0, 3)))
	if i := only(t, b); len(i.Members) != 2 {
		t.Errorf("got %+v, want both in it", i)
	}
	b.Observe(turn("09:02", "web", "oceania", slow, failing(0, 3, 0)))
	if got := only(t, b).Members[0].Groups; !slices.Equal(got, []incident.Group{incident.Login, incident.Reach}) {
		t.Errorf("got %s, want what it was and what it is", got)
	}
}

// What has a part in common at two providers looks like the same hand, and what has none
// does not, although both are mixed.
func TestMixedAlsoSeenAt(t *testing.T) {
	for name, tt := range map[string]struct {
		there option
		want  int
	}{
		"mostly the other": {failing(1, 0, 3), 2}, "the other alone": {failing(0, 0, 4), 2},
		"another": {failing(0, 4, 0), 0}, "mixed of others": {mixed(checks.CertName, checks.AuthTimeout), 0},
	} {
		list := told(turn("09:00", "web", "oceania", flaps, failing(3, 0, 3)), turn("09:01", "post", "oceania", flaps, tt.there)).Incidents()
		if got := incident.AlsoSeenAt(world(), list); len(list) != 2 || len(got) != tt.want {
			t.Errorf("%s: got %v of %d incidents, want %d", name, got, len(list), tt.want)
		}
	}
}

// Where connects are lost too nobody says that everything before the login works.
func TestMixedLogins(t *testing.T) {
	for logins, want := range map[int]bool{3: false, 9: true} { // of which one more is a lost connect
		i := only(t, told(turn("09:00", "imap-login", "oceania", flaps, failing(1, logins, 0))))
		signs := incident.Signs(world(), i, incident.Facts{})
		if got := slices.ContainsFunc(signs, func(s incident.Sign) bool { return s.Name == "logins" }); got != want {
			t.Errorf("%d logins and a connect: got %+v", logins, signs)
		}
	}
}

// Of a series that is in several incidents which a person merged all groups are shown.
func TestMixedMerged(t *testing.T) {
	at := func(clock string, o option) incident.Incident {
		return only(t, told(turn(clock, "web", "oceania", flaps, o)))
	}
	part, into := at("09:00", failing(4, 0, 0)), at("12:00", failing(0, 0, 4))
	for range 2 {
		got := incident.View(world(), incident.Case{Incident: into}, incident.Case{Incident: part})
		if len(got.Members) != 1 || !slices.Equal(got.Members[0].Groups, []incident.Group{incident.Answers, incident.Reach}) {
			t.Errorf("got %+v", got.Members)
		}
		part, into = into, part
	}
}

// Changes that differ in how runs failed alone are two, in whatever order they are given.
func TestDeriveMixed(t *testing.T) {
	a, b := turn("09:00", "web", "oceania", down, failing(3, 0, 2)), turn("09:00", "web", "oceania", down, failing(4, 1, 0))
	groups := func(changes ...verdict.Change) []incident.Group {
		return incident.Derive(world(), incident.Policy{}, changes, at("10:00"))[0].Members[0].Groups
	}
	if one, other := groups(a, b), groups(b, a); !slices.Equal(one, other) {
		t.Errorf("got %s and %s", one, other)
	}
}

// What a book hands out is not its own.
func TestGroupsAreCopies(t *testing.T) {
	b := told(turn("09:00", "web", "oceania", down, failing(3, 0, 2)))
	only(t, b).Members[0].Groups[0] = incident.Names
	if got := only(t, b).Members[0].Groups; slices.Contains(got, incident.Names) {
		t.Errorf("got %s", got)
	}
}
