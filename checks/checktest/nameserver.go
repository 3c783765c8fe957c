package checktest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"

	"github.com/miekg/dns"
)

// Answering is how a name server answers a question, which is a whole message,
// over "udp" or "tcp": with any number of messages, none is silence. It runs in a
// goroutine of its own and may wait.
type Answering func(question []byte, network string, say func(message []byte))

// ServeNames has a host answer questions at port 53 of every address, until the
// test ends.
func ServeNames(t TB, h *Host, answer Answering) {
	t.Helper()
	streams, err := h.Listen("tcp", ":53")
	if err != nil {
		t.Errorf("listen: %v", err)
		return
	}
	Serve(t, streams, func(_ context.Context, conn net.Conn) { answerStream(conn, answer) })
	packets, err := h.ListenPacket("udp", ":53")
	if err != nil {
		t.Errorf("listen: %v", err)
		return
	}
	var g sync.WaitGroup
	g.Go(func() { answerPackets(packets, answer, &g) })
	t.Cleanup(func() {
		_ = packets.Close() // ends the goroutine; it cannot fail the first time
		g.Wait()
	})
}

func answerPackets(packets net.PacketConn, answer Answering, g *sync.WaitGroup) {
	for buf := make([]byte, packetMax); ; {
		n, from, err := packets.ReadFrom(buf)
		if err != nil {
			return
		}
		question := append([]byte(nil), buf[:n]...)
		g.Go(func() {
			answer(question, "udp", func(message []byte) {
				_, _ = packets.WriteTo(message, from) // whether it arrives nobody says
			})
		})
	}
}

func answerStream(conn net.Conn, answer Answering) {
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		answer(question, "tcp", func(message []byte) {
			_, _ = conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(message)))) // the next read says that it is closed
			_, _ = conn.Write(message)
		})
	}
}

// Zone answers from records in the form of a zone file, "example.net. 300 IN MX
// 10 mx.example.net.", with authority. An alias is followed, a name without
// records does not exist, one without any of the type asked for has none by the
// word of its authority, and what is too long for a datagram is cut.
func Zone(records ...string) Answering {
	all := make([]dns.RR, len(records))
	for i, r := range records {
		all[i] = must(dns.NewRR(r))
	}
	return func(question []byte, network string, say func([]byte)) {
		var asked dns.Msg
		if err := asked.Unpack(question); err != nil || len(asked.Question) != 1 {
			return
		}
		say(must(zoned(all, &asked, network).Pack()))
	}
}

func zoned(records []dns.RR, asked *dns.Msg, network string) *dns.Msg {
	m := new(dns.Msg).SetReply(asked)
	m.Authoritative = true
	name, exists, served := asked.Question[0].Name, false, false
	for range len(records) + 1 { // no chain of aliases is longer
		alias := ""
		served = false
		for _, rr := range records {
			h := rr.Header()
			if dns.CanonicalName(h.Name) != dns.CanonicalName(name) {
				continue
			}
			exists, served = true, true
			if cname, ok := rr.(*dns.CNAME); ok && h.Rrtype != asked.Question[0].Qtype {
				alias = cname.Target
			}
			if h.Rrtype == asked.Question[0].Qtype || alias != "" {
				m.Answer = append(m.Answer, rr)
			}
		}
		if name = alias; alias == "" {
			break
		}
	}
	if !exists {
		m.Rcode = dns.RcodeNameError
	}
	if n := len(m.Answer); served && (n == 0 || m.Answer[n-1].Header().Rrtype != asked.Question[0].Qtype) {
		m.Ns = append(m.Ns, must(dns.NewRR(". 60 IN SOA ns1.example.net. hostmaster.example.net. 1 7200 3600 1209600 60")))
	}
	if opt := asked.IsEdns0(); opt != nil && network == "udp" {
		m.Truncate(int(opt.UDPSize()))
	} else if network == "udp" {
		m.Truncate(dns.MinMsgSize)
	}
	return m
}

// Authenticated is a resolver that has verified whatever is answered.
func Authenticated(answer Answering) Answering {
	return func(question []byte, network string, say func([]byte)) {
		answer(question, network, func(message []byte) {
			const authenticated = 1 << 5 // in the fourth byte, RFC 4035 3.2.3
			message[3] |= authenticated
			say(message)
		})
	}
}
