package server

import (
	"context"
	"log/slog"

	"varde/coordinator/internal/config"
	"varde/coordinator/internal/recording"
	"varde/coordinator/internal/replay"
)

// ReplayOptions are what is judged, and by what.
type ReplayOptions struct {
	// Configs are the files of the configurations that judge, side by side. At least one.
	Configs []string
	// Observations is a file of JSON lines, or the data folder of a coordinator that does
	// not run. Required.
	Observations string
	// Progress is told how much of it was read, in units of its own, from one goroutine.
	// It may be nil.
	Progress func(done, all int64)
	// Logger is told what is doubtful. Required.
	Logger *slog.Logger
}

// Replay judges a recording by each of the configurations. It touches nothing.
func Replay(ctx context.Context, o ReplayOptions) ([]replay.Outcome, replay.Read, error) {
	var policies []replay.Policy
	var names []recording.Names
	for _, file := range o.Configs {
		c, err := config.LoadPolicy(file)
		if err != nil {
			return nil, replay.Read{}, err
		}
		for _, w := range c.Hasty() {
			o.Logger.Warn("check looks more often than its floor allows", "file", file, "warning", w)
		}
		policies = append(policies, replay.Policy{Fleet: fleetOf(c), World: worldOf(c)})
		names = append(names, recording.NamesOf(file, c))
	}
	var ignored recording.Ignored
	source, err := recording.At(recording.Options{
		Path: o.Observations, Names: names, Progress: o.Progress, Ignored: func(i recording.Ignored) { ignored = i },
	})
	if err != nil {
		return nil, replay.Read{}, err
	}
	outcomes, read, err := replay.Run(ctx, replay.Options{Source: source, Policies: policies})
	if ignored != (recording.Ignored{}) {
		o.Logger.Warn("observations of the journal are not judged",
			"not_configured", ignored.Strange, "senseless", ignored.Senseless, "repeated", ignored.Repeated)
	}
	return outcomes, read, err
}
