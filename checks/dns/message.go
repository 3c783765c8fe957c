package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/miekg/dns"

	"varde/checks"
)

const (
	// headerLen is the length of a message's header, RFC 1035 4.1.1.
	headerLen = 12
	// datagramMax is the largest datagram taken, in bytes; what is longer was
	// not asked for.
	datagramMax = 4096
	// recordsMax is how many records of a message are looked at.
	recordsMax = 64
)

// errStrange says that a message answers another question, or none.
var errStrange = errors.New("an answer to another question")

// readFrame reads one message from a stream.
func readFrame(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	raw := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(r, raw)
	return raw, err
}

// read understands a message as the answer to what was sent.
func (s *session) read(raw []byte) (*dns.Msg, error) {
	if len(raw) < headerLen || binary.BigEndian.Uint16(raw) != s.sent.Id {
		return nil, errStrange
	}
	m, err := unpack(raw)
	switch {
	case !m.Response || m.Opcode != dns.OpcodeQuery:
		return nil, checks.Fail(checks.ProtocolError, "not an answer: the question came back")
	case m.Truncated: // the rest may be cut anywhere
		return &m, nil
	case err != nil:
		return nil, checks.Fail(checks.ProtocolError, "not a DNS message: %v", err)
	case len(m.Question) == 0 && m.Rcode != dns.RcodeSuccess: // as servers refuse what they did not read
		return &m, nil
	case len(m.Question) != 1 || !s.isAsked(m.Question[0]):
		return nil, errStrange
	}
	return &m, nil
}

func (s *session) isAsked(q dns.Question) bool {
	return strings.EqualFold(q.Name, s.asked.Name) && q.Qtype == s.asked.Qtype && q.Qclass == s.asked.Qclass
}

// unpack takes a message apart, as far as its first records: a message of 64 kB
// can hold thousands, each with a name far longer than it takes there. The
// message has at least the header, with an error too.
func unpack(raw []byte) (m dns.Msg, err error) {
	counts := raw[4:headerLen] // questions, answers, authorities, others
	if questions := binary.BigEndian.Uint16(counts); questions > 1 {
		err = fmt.Errorf("%d questions", questions)
		binary.BigEndian.PutUint64(counts, 0)
	}
	answers, all := binary.BigEndian.Uint16(counts[2:]), 0
	for i := 2; i < len(counts); i += 2 {
		all += int(binary.BigEndian.Uint16(counts[i:]))
	}
	if all > recordsMax {
		binary.BigEndian.PutUint16(counts[2:], min(answers, recordsMax))
		binary.BigEndian.PutUint32(counts[4:], 0)
	}
	return m, errors.Join(err, m.Unpack(raw))
}
