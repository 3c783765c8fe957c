package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
)

// listeners are what the coordinator answers on.
type listeners struct{ grpc, public, ops net.Listener }

func (s *Server) listen(context.Context) error {
	for _, l := range []struct {
		key, address string
		to           *net.Listener
	}{
		{"listen.grpc", s.opts.Config.Listen.GRPC, &s.listeners.grpc},
		{"listen.public", s.opts.Config.Listen.Public, &s.listeners.public},
		{"listen.ops", s.opts.Config.Listen.Ops, &s.listeners.ops},
	} {
		opened, err := s.opts.Listen("tcp", l.address)
		if err != nil {
			return fmt.Errorf("%s: %w", l.key, err)
		}
		*l.to = netutil.LimitListener(opened, maxConnections)
	}
	return nil
}

func (l listeners) close() error {
	var errs []error
	for _, l := range []net.Listener{l.grpc, l.public, l.ops} {
		if l == nil {
			continue
		}
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Addresses are where the coordinator answers.
type Addresses struct{ GRPC, Public, Ops string }

// Addresses returns where the coordinator answers, with the ports that were
// picked where the configuration left them open.
func (s *Server) Addresses() Addresses {
	return Addresses{s.listeners.grpc.Addr().String(), s.listeners.public.Addr().String(), s.listeners.ops.Addr().String()}
}

// maxConnections is how many connections one listener has at a time; more wait
// for one of them to end. Each costs some tens of kilobytes, and a probe has one
// or two.
const maxConnections = 2000

// Bounds of a request, for pages that anybody may ask for.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	// writeTimeout is from the end of a request's header to the end of its
	// answer; a stream of events sets a time for each event.
	writeTimeout = 30 * time.Second
	idleTimeout  = 60 * time.Second
	maxHeader    = 16 << 10
	// drainTime is what open requests get at the end.
	drainTime = time.Second
)

// serveHTTP serves until ctx ends. Requests that are open then get a second.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	var g errgroup.Group
	g.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		late, stop := context.WithTimeout(requests, drainTime)
		defer stop()
		defer context.AfterFunc(ctx, cancel)() // event streams end at once
		if srv.Shutdown(late) != nil {
			return srv.Close()
		}
		return nil
	})
	return g.Wait()
}
