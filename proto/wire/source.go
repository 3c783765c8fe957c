package wire

// Source is one life of one probe's program: what counts records from 1. With a
// sequence number it names a record for ever.
type Source struct{ Probe, Epoch string }

// Source says where the batch comes from.
func (b Batch) Source() Source { return Source{Probe: b.Probe, Epoch: b.Epoch} }
