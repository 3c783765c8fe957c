package waterfall

import "varde/checks"

// Meaning is a class in plain words, for a person who has not read its list. A
// class that is not known is its own meaning.
func Meaning(c checks.Class) string {
	if words, ok := meanings()[c]; ok {
		return words
	}
	return string(c)
}

func meanings() map[checks.Class]string {
	return map[checks.Class]string{
		checks.DNSTimeout:      "the name server did not answer in time",
		checks.DNSError:        "the name does not exist, has nothing of what was asked for, or could not be looked up",
		checks.ConnectTimeout:  "nothing answered at this address in time",
		checks.ConnectRefused:  "the machine answers, but nothing listens on this port",
		checks.ConnectReset:    "the connection was broken off while it was being made",
		checks.Unreachable:     "there is no way to this address from here",
		checks.TLSTimeout:      "the TLS handshake was not answered in time",
		checks.TLSError:        "TLS could not be agreed on",
		checks.CertExpired:     "the certificate is not valid today",
		checks.CertName:        "the certificate belongs to another name",
		checks.CertUntrusted:   "the certificate was signed by nobody we trust",
		checks.GreetingTimeout: "the server accepted the connection and then did not greet in time",
		checks.GreetingError:   "what answered is not this kind of server",
		checks.Busy:            "the server says that it cannot serve anyone now",
		checks.AuthTimeout:     "the login was not answered in time",
		checks.AuthTempfail:    "the server cannot check logins now",
		checks.AuthRejected:    "the server refused this user or password; nothing is known about others",
		checks.Policy:          "the server refuses us in particular; nothing is known about others",
		checks.CommandTimeout:  "the server stopped answering in time",
		checks.ProtocolError:   "the server said something that the protocol does not allow",
		checks.Closed:          "the server hung up",
		checks.HTTPStatus:      "the server answered with another status",
		checks.BodyMismatch:    "an answer came, but not what should be in it",
		checks.Late:            "it arrived too late",
		checks.OwnNetwork:      "our own network failed; nothing is known about the server",
		checks.OwnLate:         "this machine was too busy to look; nothing is known about the server",
		checks.OwnError:        "the fault is on our side; nothing is known about the server",
	}
}
