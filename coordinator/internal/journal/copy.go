package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Part is one of the things that lie in the folder of a journal, as [Journal.Copy]
// found it: the journal itself, a bucket, or the archive.
type Part struct {
	Name string `json:"name"`
	// Config and State are JetStream's own description of it.
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
}

// bucketPrefix is how JetStream names the stream of a bucket (NATS ADR-8).
const bucketPrefix = "KV_"

// Parts returns the names of all that lies in the folder, sorted: the buckets, and the
// logs, which are the journal and the archive. Buckets hold places in the logs.
func (j *Journal) Parts(ctx context.Context) (buckets, logs []string, err error) {
	e, err := j.use(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("list parts of journal: %w", err)
	}
	list := e.js.StreamNames(ctx)
	for name := range list.Name() {
		if strings.HasPrefix(name, bucketPrefix) {
			buckets = append(buckets, name)
		} else {
			logs = append(logs, name)
		}
	}
	if err := list.Err(); err != nil {
		return nil, nil, fmt.Errorf("list parts of journal: %w", err)
	}
	slices.Sort(buckets)
	slices.Sort(logs)
	return buckets, logs, nil
}

// Copy writes one part to w as it is at this moment, while everything goes on. What is
// written and the Part that is returned are what [Rebuild] needs.
func (j *Journal) Copy(ctx context.Context, name string, w io.Writer) (Part, error) {
	e, err := j.use(ctx)
	if err != nil {
		return Part{}, fmt.Errorf("copy %s of journal: %w", name, err)
	}
	p, err := e.copy(ctx, name, w)
	if err != nil {
		return Part{}, fmt.Errorf("copy %s of journal: %w", name, err)
	}
	return p, nil
}

// The sizes in which a part travels inside the process, in bytes.
const (
	copyChunk  = 512 << 10
	copyWindow = 8 << 20
)

// copyStall is how long a part may stand still on its way.
const copyStall = 30 * time.Second

// copy asks for a snapshot (https://docs.nats.io, JetStream API, STREAM.SNAPSHOT): it
// comes in chunks, each of which is acknowledged, and ends with an empty one whose
// header says whether it is whole.
func (e *engine) copy(ctx context.Context, name string, w io.Writer) (Part, error) {
	inbox := e.conn.NewInbox()
	sub, err := e.conn.SubscribeSync(inbox)
	if err != nil {
		return Part{}, err
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only on a closed connection
	if err := sub.SetPendingLimits(-1, 2*copyWindow); err != nil {
		return Part{}, err
	}
	part, err := e.ask(ctx, fmt.Sprintf("$JS.API.STREAM.SNAPSHOT.%s", name), server.JSApiStreamSnapshotRequest{
		DeliverSubject: inbox, NoConsumers: true, ChunkSize: copyChunk, WindowSize: copyWindow, CheckMsgs: true,
	})
	if err != nil {
		return Part{}, err
	}
	part.Name = name
	for {
		m, err := next(ctx, sub)
		if err != nil {
			return Part{}, err
		}
		if len(m.Data) == 0 {
			return part.Part, ended(m)
		}
		if _, err := w.Write(m.Data); err != nil {
			return Part{}, err
		}
		if m.Reply != "" {
			if err := m.Respond(nil); err != nil {
				return Part{}, err
			}
		}
	}
}

// next waits for a chunk.
func next(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, copyStall, fmt.Errorf("nothing came for %s", copyStall))
	defer cancel()
	m, err := sub.NextMsgWithContext(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return m, err
}

// ended says whether the last chunk was the last of all.
func ended(m *nats.Msg) error {
	if status := m.Header.Get("Status"); status != "" && status != "204" {
		return fmt.Errorf("ended early: %s %s", status, m.Header.Get("Description"))
	}
	return nil
}

// reply is an answer of JetStream's API.
type reply struct {
	Part
	Deliver string           `json:"deliver_subject"`
	Error   *server.ApiError `json:"error"`
}

// ask asks JetStream's API.
func (e *engine) ask(ctx context.Context, subject string, question any) (reply, error) {
	data, err := json.Marshal(question)
	if err != nil {
		return reply{}, err
	}
	return e.send(ctx, subject, data)
}

// send sends something to JetStream and waits for its answer, which may be empty.
func (e *engine) send(ctx context.Context, subject string, data []byte) (reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, copyStall, fmt.Errorf("no answer for %s", copyStall))
	defer cancel()
	m, err := e.conn.RequestWithContext(ctx, subject, data)
	if err != nil {
		return reply{}, errors.Join(err, context.Cause(ctx))
	}
	var answer reply
	if len(m.Data) == 0 {
		return answer, nil
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return reply{}, fmt.Errorf("read answer: %w", err)
	}
	if answer.Error != nil {
		return reply{}, fmt.Errorf("%s", answer.Error.Description)
	}
	return answer, nil
}

// Rebuild makes the folder of a journal of copied parts: fn is called once and gives
// each of them to put. The folder must not exist, or be empty. If anything fails it is
// not to be used.
func Rebuild(ctx context.Context, o Options, fn func(put func(Part, io.Reader) error) error) error {
	unlock, err := lockFolder(o.Dir)
	if err != nil {
		return fmt.Errorf("rebuild journal: %w", err)
	}
	e, err := rebuildEngine(ctx, o)
	if err != nil {
		return errors.Join(fmt.Errorf("rebuild journal in %s: %w", o.Dir, err), unlock())
	}
	err = fn(func(p Part, r io.Reader) error {
		if err := e.put(ctx, p, r); err != nil {
			return fmt.Errorf("rebuild %s of journal: %w", p.Name, err)
		}
		return nil
	})
	e.stop()
	return errors.Join(err, unlock())
}

// rebuildEngine starts a server with nothing in it.
func rebuildEngine(ctx context.Context, o Options) (*engine, error) {
	return launch(o, func(e *engine) error {
		if err := e.dial(o); err != nil {
			return err
		}
		for name := range e.js.StreamNames(ctx).Name() {
			return fmt.Errorf("%s is there already, expected an empty folder", name)
		}
		return nil
	})
}

// put restores one part (JetStream API, STREAM.RESTORE): chunks are sent to where the
// answer says, and an empty one ends them.
func (e *engine) put(ctx context.Context, p Part, r io.Reader) error {
	answer, err := e.ask(ctx, fmt.Sprintf("$JS.API.STREAM.RESTORE.%s", p.Name), struct {
		Config json.RawMessage `json:"config"`
		State  json.RawMessage `json:"state"`
	}{p.Config, p.State})
	if err != nil {
		return err
	}
	chunk := make([]byte, copyChunk)
	for {
		n, err := io.ReadFull(r, chunk)
		if n > 0 {
			if _, err := e.send(ctx, answer.Deliver, chunk[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	_, err = e.send(ctx, answer.Deliver, nil)
	return err
}
