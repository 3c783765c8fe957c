package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"
	"github.com/influxdata/influxdb-client-go/v2/api/write"
)

// Target is a server that is written to.
type Target struct {
	// ID names the mirror, in files and to people.
	ID string
	// URL is that of the server, below which api/v2/write lies.
	URL string
	// Org and Bucket are as InfluxDB 2 has them. For InfluxDB 1.8 the bucket is
	// "database/retention-policy" and the organisation is not looked at.
	Org, Bucket string
	// TokenFile is the file of the token, for InfluxDB 1.8 of "user:password"; empty
	// for none.
	TokenFile string
}

// Limits of what passes between us and a server.
const (
	// requestTimeout bounds one write, dial and answer included.
	requestTimeout = 30 * time.Second
	// maxAnswer is how many bytes are read of an answer.
	maxAnswer = 16 << 10
	// maxWords is how many characters of a server's answer people read.
	maxWords = 300
	// longestAsked bounds how long a server may ask to be left alone.
	longestAsked = 10 * time.Minute
)

// failure is why a server did not take points.
type failure struct {
	// words are the server's own, or ours where it did not answer.
	words string
	// refused says that trying again does not help by itself.
	refused bool
	// dropped is how many points it did not take of a batch of which it took the rest.
	dropped uint64
	// wait is how long it wants to be left alone; zero if it did not say.
	wait time.Duration
}

func (f *failure) Error() string { return f.words }

// client writes to one target.
type client struct {
	target Target
	secret func(path string) (string, error)
	http   *http.Client
}

func newClient(t Target, secret func(string) (string, error)) *client {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxResponseHeaderBytes: maxAnswer, TLSHandshakeTimeout: requestTimeout,
		// At most one write a second: a connection for each is no cost, and none is
		// found dead that something between us forgot.
		DisableKeepAlives: true,
	}
	return &client{target: t, secret: secret, http: &http.Client{
		Transport: limited{transport},
		// A token goes where its owner said and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// write returns nil or a *failure. The token is read each time: whoever changes it
// needs not tell us.
func (c *client) write(ctx context.Context, points []*write.Point) error {
	token := ""
	if c.target.TokenFile != "" {
		var err error
		if token, err = c.secret(c.target.TokenFile); err != nil {
			return &failure{words: printable(err.Error())}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	options := influxdb2.DefaultOptions().SetHTTPClient(c.http).SetUseGZip(true).SetApplicationName("varde")
	db := influxdb2.NewClientWithOptions(c.target.URL, token, options)
	defer db.Close()
	return explain(db.WriteAPIBlocking(c.target.Org, c.target.Bucket).WritePoint(ctx, points...))
}

// explain makes a failure of what the client returned.
func explain(err error) error {
	if err == nil {
		return nil
	}
	answer := new(influxhttp.Error)
	if !errors.As(err, &answer) || answer.StatusCode == 0 {
		return &failure{words: printable(err.Error())}
	}
	words := answer.Message
	if words == "" {
		words = answer.Error()
	}
	f := &failure{words: printable(fmt.Sprintf("%d: %s", answer.StatusCode, words)), wait: min(time.Duration(answer.RetryAfter)*time.Second, longestAsked)}
	switch answer.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
	default:
		f.refused = answer.StatusCode < http.StatusInternalServerError
	}
	if f.refused {
		f.dropped = droppedOf(words)
	}
	return f
}

// droppedOf reads from a server's words that it took a batch but for some points, and
// how many those are: "partial write: field type conflict: … dropped=3", as InfluxDB
// 1.8 says it with 400 and 2 with 422. Zero is a batch that was refused as a whole.
func droppedOf(words string) uint64 {
	_, rest, partial := strings.Cut(words, "partial write")
	m := regexp.MustCompile(`dropped=([0-9]+)`).FindStringSubmatch(rest)
	if !partial || m == nil {
		return 0
	}
	n, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// printable returns the first maxWords characters of what others said, on one line.
func printable(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if r := []rune(s); len(r) > maxWords {
		return string(r[:maxWords-1]) + "…"
	}
	return s
}

// limited reads no more of an answer than maxAnswer, whatever a server sends.
type limited struct{ http.RoundTripper }

// wordsHeader is where the client looks for the words of an answer whose body is not
// as InfluxDB 2 has it.
const wordsHeader = "X-Influxdb-Error"

// RoundTrip sends a request.
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	bounded := io.LimitReader(answer.Body, maxAnswer)
	if answer.StatusCode >= http.StatusMultipleChoices && answer.Header.Get(wordsHeader) == "" {
		b, err := io.ReadAll(bounded)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("read answer with status %d: %w", answer.StatusCode, err), answer.Body.Close())
		}
		answer.Header.Set(wordsHeader, wordsOf(b))
		bounded = bytes.NewReader(b)
	}
	answer.Body = body{bounded, answer.Body}
	return answer, nil
}

// wordsOf are the words in an answer: InfluxDB 1.8 says {"error": "authorization failed"}.
func wordsOf(b []byte) string {
	var known struct{ Error string }
	if json.Unmarshal(b, &known) == nil && known.Error != "" {
		return known.Error
	}
	return string(b)
}

type body struct {
	io.Reader
	io.Closer
}
