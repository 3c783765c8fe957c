package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Entity is a finished answer. It is made once, sent many times and never
// changed.
type Entity struct {
	kind   string
	body   []byte
	zipped []byte
	tag    string
	policy Policy
}

// zipFrom is the size in bytes from which an answer is worth compressing: less
// fits into one packet anyhow.
const zipFrom = 1200

// NewEntity makes an answer of a media type and its bytes, which it keeps.
func NewEntity(kind string, body []byte, policy Policy) *Entity {
	sum := sha256.Sum256(body)
	e := &Entity{kind: kind, body: body, policy: policy, tag: hex.EncodeToString(sum[:12])}
	if len(body) >= zipFrom {
		var b bytes.Buffer
		// A bytes.Buffer takes every write, and gzip adds no error of its own.
		z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		_, _ = z.Write(body)
		_ = z.Close()
		e.zipped = b.Bytes()
	}
	return e
}

// Send answers r with the entity and the given status. An answer of status 200
// may be kept for maxAge and is not sent again to those who hold it (RFC 9110,
// section 13.1.2); others are not kept.
func (e *Entity) Send(w http.ResponseWriter, r *http.Request, status int, maxAge time.Duration) {
	h := w.Header()
	e.policy.Set(h)
	h.Set("Content-Type", e.kind)
	body, tag := e.body, `"`+e.tag+`"`
	if e.zipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			body, tag = e.zipped, `"`+e.tag+`-z"`
			h.Set("Content-Encoding", "gzip")
		}
	}
	if status == http.StatusOK {
		h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(maxAge/time.Second)))
		h.Set("ETag", tag)
		if holds(r.Header.Get("If-None-Match"), tag) {
			h.Del("Content-Encoding")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	} else {
		h.Set("Cache-Control", "no-store")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// A reader that has gone needs no answer.
		_, _ = w.Write(body)
	}
}

// holds says whether an If-None-Match names the tag. That of another coding is
// another tag: who holds that one does not hold this one.
func holds(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		c := strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if c == "*" || c == tag {
			return true
		}
	}
	return false
}

// acceptsGzip says whether an Accept-Encoding (RFC 9110, section 12.5.3) takes
// gzip.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q, weighted := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		v, err := strconv.ParseFloat(q, 64)
		return !weighted || err == nil && v > 0
	}
	return false
}
