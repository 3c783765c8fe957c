package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/checks/catalog"
)

func (v *validator) checks(c Config) {
	v.count("checks", len(c.Checks), 0, MaxChecks, "check")
	v.unique("checks", ".id", collect(c.Checks, func(k Check) string { return k.ID }))
	services := c.serviceIDs()
	regions := distinct(collect(c.Regions, func(r Region) string { return r.ID }))
	for i, t := range c.Checks {
		at := fmt.Sprintf("checks[%d]", i)
		v.target(at, t.Target)
		v.verdict(at+".verdict", t)
		if t.CA != nil && t.CA.File == "" && len(t.CA.PEM) == 0 {
			v.add(at+".ca.file", "got none, expected the path of a file of PEM certificates")
		}
		v.references(at+".regions", "region", t.Regions, regions)
		k := slices.Index(services, t.Service)
		if k < 0 {
			v.add(at+".service", "got %s, expected the id of a service%s", quote(t.Service), oneOf(services))
			continue
		}
		if problem, low := t.tooOften(); low && !v.recorded {
			v.add(at+".every", "%s", problem)
		}
	}
}

// tooOften says what is wrong with a check that looks more often than its floor allows.
func (k Check) tooOften() (problem string, low bool) {
	floor := k.Floor()
	return fmt.Sprintf("got %s, expected at least %s: service %s does not say consent: true", short(k.Every), short(floor), k.Service),
		k.Every >= checks.MinEvery && k.Every < floor
}

// target adds what the target and its kind find, in the words of this file.
func (v *validator) target(at string, t checks.Target) {
	seen := map[string]bool{}
	for _, err := range flatten(catalog.Validate(t)) {
		path, problem := at, err.Error()
		if f, ok := errors.AsType[*checks.FieldError](err); ok {
			path, problem = at+"."+f.Field, f.Problem
			switch {
			case f.Field == "timeout" && t.Every <= 0:
				continue // its default follows from every
			case f.Field == "every" && t.Every == 0:
				problem = fmt.Sprintf("got none, expected %s to %s", short(checks.MinEvery), short(checks.MaxEvery))
			case f.Field == "url" && strings.Contains(t.URL, "@"):
				problem = "got " + quoteURL(t.URL) + ", expected no user in it: that stands under login"
			}
		}
		if !seen[path+problem] {
			v.add(path, "%s", got(problem))
		}
		seen[path+problem] = true
	}
}

// got puts the problems of targets, which begin with a bare value, into the
// words of this package.
func got(problem string) string {
	if problem != "" && strings.ContainsRune(`"0123456789-`, rune(problem[0])) {
		return "got " + problem
	}
	return problem
}

// short writes 3m0s as 3m and 720h0m0s as 30d.
func short(d time.Duration) string {
	if d >= 2*day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if rest, ok := strings.CutSuffix(s, "m0s"); ok {
		s = rest + "m"
	}
	if rest, ok := strings.CutSuffix(s, "h0m"); ok {
		s = rest + "h"
	}
	return s
}

// flatten takes joined errors apart.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, flatten(e)...)
	}
	return out
}
