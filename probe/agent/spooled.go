package agent

// Spooled says how many observations and events this life of the probe has
// entrusted to its spool: they bear the numbers from 1 to last.
func (a *Agent) Spooled() (epoch string, last uint64) { return a.spool.Epoch(), a.spool.Last() }
