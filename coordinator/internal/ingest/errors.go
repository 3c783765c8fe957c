package ingest

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// toStatus is the one place where an error gets its code. What is not known to
// be fit for the other side is logged by the caller and not told.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err // one of gRPC's own, from a stream that has ended
	}
	if errors.Is(err, errJournal) { // whatever went wrong with it
		return status.Error(codes.Unavailable, errJournal.Error())
	}
	for _, c := range []struct {
		kind error
		code codes.Code
	}{
		{ErrDenied, codes.PermissionDenied},
		{ErrUnauthenticated, codes.Unauthenticated},
		{ErrInvalid, codes.InvalidArgument},
		{errSuperseded, codes.ResourceExhausted},
		{errStopping, codes.Unavailable},
		{context.Canceled, codes.Canceled},
		{context.DeadlineExceeded, codes.DeadlineExceeded},
	} {
		if errors.Is(err, c.kind) {
			// The code says the kind; the words say what it is about.
			return status.Error(c.code, strings.TrimPrefix(err.Error(), c.kind.Error()+": "))
		}
	}
	return status.Error(codes.Internal, "internal error of the coordinator")
}
