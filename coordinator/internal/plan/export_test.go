package plan

// LoginProbes are those that log in, by check; nil for all of them.
func LoginProbes(in Input) map[string][]string {
	targets := named(in.Checks)
	assign(targets, in)
	out := map[string][]string{}
	for _, t := range targets {
		out[t.ID] = t.LoginProbes
		if t.LoginProbes == nil {
			for _, p := range in.Probes {
				out[t.ID] = append(out[t.ID], p.Name)
			}
		}
	}
	return out
}
