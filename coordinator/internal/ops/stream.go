package ops

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"varde/coordinator/internal/incident"
)

// The bounds of the stream.
const (
	// maxReaders is how many may listen at once.
	maxReaders = 64
	// readerBuffer is how many events wait for one reader. A whole fleet can
	// change its verdict at once; more than this is a reader that sleeps.
	readerBuffer = 256
	// heartbeat keeps proxies from closing a quiet stream.
	heartbeat = 15 * time.Second
	// writeTimeout is how long one write to a reader may take.
	writeTimeout = 10 * time.Second
)

// hub hands events to everybody who listens.
type hub struct {
	mu      sync.Mutex
	readers map[*reader]struct{}
	// dropped counts those that were let go because they were too slow.
	dropped uint64
}

// reader is one open stream. Its channel is closed by the hub, when it is too
// slow.
type reader struct{ events chan []byte }

func newHub() *hub { return &hub{readers: make(map[*reader]struct{})} }

// join adds a reader; false if there are too many.
func (h *hub) join() (*reader, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.readers) >= maxReaders {
		return nil, false
	}
	r := &reader{make(chan []byte, readerBuffer)}
	h.readers[r] = struct{}{}
	return r, true
}

func (h *hub) leave(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.readers, r)
}

// publish never waits: a reader whose buffer is full is let go.
func (h *hub) publish(event []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.readers {
		select {
		case r.events <- event:
		default:
			close(r.events)
			delete(h.readers, r)
			h.dropped++
		}
	}
}

func (h *hub) count() (open int, dropped uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.readers), h.dropped
}

// Readers says how many read the stream now, and how many were let go since the start
// because they were too slow.
func (s *Server) Readers() (open int, dropped uint64) {
	open, dropped = s.hub.count()
	for _, room := range s.entered() {
		more, gone := room.hub.count()
		open, dropped = open+more, dropped+gone
	}
	return open, dropped
}

// PublishVerdict tells the readers of the stream that a verdict has changed.
// It never blocks.
func (s *Server) PublishVerdict(v Verdict) {
	s.publish("verdict", v)
	rooms := s.entered()
	if len(rooms) == 0 {
		return
	}
	if room, ok := rooms[s.providerOf(v.Service)]; ok {
		room.publish("verdict", v)
	}
}

// PublishProbe tells the readers of the stream that a probe has come, gone or
// changed. It never blocks.
func (s *Server) PublishProbe(p Probe) {
	s.publish("probe", p)
	for _, room := range s.entered() {
		room.publish("probe", p)
	}
}

// PublishIncident tells the readers of the stream that an incident is new or has
// changed, itself or a part of it. It never blocks.
func (s *Server) PublishIncident(w incident.World, x incident.Whole) {
	event := jsonOf(incident.View(w, x.Case, x.Parts...))
	s.publish("incident", event)
	for provider, room := range s.entered() {
		if len(Register{World: w, Cases: append([]incident.Case{x.Case}, x.Parts...)}.of(provider).Cases) > 0 {
			room.publish("incident", event)
		}
	}
}

func (s *Server) publish(kind string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.logger.Error("event cannot be written", "event", kind, "error", err)
		return
	}
	s.hub.publish(fmt.Appendf(nil, "event: %s\ndata: %s\n\n", kind, body))
}

// stream sends events as they happen (HTML, section 9.2, server-sent events).
// What happened before, or while a reader was away, is in the lists: they are
// to be read after every connect.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	me, ok := s.hub.join()
	if !ok {
		apiError(w, http.StatusServiceUnavailable, fmt.Sprintf("%d readers are connected, expected fewer", maxReaders))
		return
	}
	defer s.hub.leave(me)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	send := func(b []byte) bool {
		// A recorder in a test has no deadline, and needs none.
		_ = out.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := w.Write(b); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	if !send([]byte("retry: 3000\n\n")) {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case event, open := <-me.events:
			if !open || !send(event) {
				return
			}
		case <-beat.C:
			if !send([]byte(": still here\n\n")) {
				return
			}
		}
	}
}
