package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// retryListen is how long something that others come to is left alone after it
// ended, before it is begun again.
const retryListen = 15 * time.Second

// persist runs what helps a probe and is not needed for measuring, until ctx ends.
// Whenever it ends before, failed gets the reason, and whether it is another one
// than the last time.
func persist(ctx context.Context, run func(context.Context) error, fault func(error) error, failed func(reason string, news bool)) {
	for told := ""; ; {
		err := run(ctx)
		if ctx.Err() != nil {
			return
		}
		reason := fault(err).Error()
		failed(reason, reason != told)
		told = reason
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryListen):
		}
	}
}

// listenFault says which key of the configuration something that cannot listen
// needs changed.
func (a *Agent) listenFault(key, bind string) func(error) error {
	return func(err error) error {
		op, listening := errors.AsType[*net.OpError](err)
		cause, known := errors.AsType[syscall.Errno](err)
		if !listening || op.Op != "listen" || !known {
			return err
		}
		fault := fmt.Errorf("%s %s: %w", key, bind, cause)
		if a.opts.ConfigPath != "" {
			fault = fmt.Errorf("%s: %w", a.opts.ConfigPath, fault)
		}
		return fault
	}
}
