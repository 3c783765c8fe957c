package fleettest

import "varde/coordinator/server"

// Announce announces a window, as `varde-coordinator maintenance add` and `watch add`
// do.
func (f *Fleet) Announce(w server.Window) server.Window {
	f.t.Helper()
	w.Title, w.By = "announced by a test", "kari"
	out, err := f.server.Announce(f.Context(), w)
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}
