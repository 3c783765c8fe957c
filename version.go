package varde

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"
)

// Version is what this program was built from, in one word: the tag or commit
// that the go command recorded, with "+dirty" behind it when the tree had
// changes, and "devel" when it recorded none.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return version(info)
}

func version(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	v, settings := "devel", map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if commit := settings["vcs.revision"]; commit != "" {
		v += "-" + commit[:min(12, len(commit))]
	}
	if settings["vcs.modified"] == "true" {
		v += "+dirty"
	}
	return v
}

// VersionCommand prints the version of a program.
type VersionCommand struct{}

// Help says what the words mean, and shows an example.
func (VersionCommand) Help() string {
	return `A version that ends in "+dirty" was built with changes that no commit holds;
"devel" says that the commit was not recorded.

Example:

  ${program} version`
}

// Run prints name and version of the program, and what compiled it.
func (VersionCommand) Run(called *kong.Context) error {
	info, ok := debug.ReadBuildInfo()
	words := []string{called.Model.Name, Version()}
	if ok {
		words = append(words, info.GoVersion)
	}
	_, err := fmt.Fprintln(called.Stdout, strings.Join(words, " "))
	return err
}
