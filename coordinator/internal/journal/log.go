package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// natsLog adapts the embedded server's log. What it has to say is of interest
// to nobody in health, so all but errors goes to debug.
type natsLog struct {
	log *slog.Logger

	mu     sync.Mutex // protects all following fields
	fatals []error
	notify map[*func(error)]struct{}
}

func newNATSLog(log *slog.Logger) *natsLog {
	return &natsLog{log: log, notify: map[*func(error)]struct{}{}}
}

// onError has fn called with every error logged until the returned function is.
func (l *natsLog) onError(fn func(error)) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notify[&fn] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.notify, &fn)
	}
}

// fatal returns what kept the server from starting, nil if nothing did.
func (l *natsLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.fatals...)
}

func (l *natsLog) debug(format string, v []any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("nats", "text", strings.TrimSpace(fmt.Sprintf(format, v...)))
	}
}

// Noticef logs at debug.
func (l *natsLog) Noticef(format string, v ...any) { l.debug(format, v) }

// Warnf logs at debug: NATS warns of settings that are on purpose.
func (l *natsLog) Warnf(format string, v ...any) { l.debug(format, v) }

// Debugf logs at debug.
func (l *natsLog) Debugf(format string, v ...any) { l.debug(format, v) }

// Tracef logs at debug.
func (l *natsLog) Tracef(format string, v ...any) { l.debug(format, v) }

// Errorf logs at warn and tells those who wait for a write.
func (l *natsLog) Errorf(format string, v ...any) {
	err := fmt.Errorf(format, v...)
	l.log.Warn("nats", "error", err)
	l.mu.Lock()
	defer l.mu.Unlock()
	for fn := range l.notify {
		(*fn)(err)
	}
}

// Fatalf keeps the reason for whoever starts the server. It does not end the
// process, as the server would have it.
func (l *natsLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fatals = append(l.fatals, fmt.Errorf(format, v...))
}
