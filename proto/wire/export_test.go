package wire

// ReadEntry is UnmarshalEntry in the general way.
func ReadEntry(data []byte) ([]Batch, error) { return readEntry(data) }

// ReadDirectly is UnmarshalEntry without the general way.
func ReadDirectly(data []byte) ([]Batch, bool) { return new(direct).entry(data) }
