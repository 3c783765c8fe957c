package verdict

import (
	"time"

	"varde/checks"
)

// namesIn are all names that the lists of a judge hold.
func (j *Judge) namesIn() []string {
	var out []string
	for _, r := range j.window {
		out = append(out, r.Probe, r.Epoch, string(r.Class))
	}
	for _, t := range j.trials {
		out = append(out, t.probe, string(t.class))
	}
	return out
}

// login is the bit beside the outcome of a packed result.
const login = 8

func (p *packer) results(list []Result) []byte {
	for _, r := range list {
		flags := int64(r.Outcome)
		if r.Login {
			flags |= login
		}
		p.number(flags)
		p.name(r.Probe)
		p.name(r.Epoch)
		p.name(string(r.Class))
		p.number(int64(r.Seq)) // two's complement: it comes back as it was
		p.at(r.Ended)
		p.number(nanos(r.Ended) - nanos(r.Started))
		p.number(int64(r.Every))
	}
	return p.done()
}

func (u *unpacker) results() (list []Result) {
	for u.more() {
		flags := u.number()
		r := Result{
			Outcome: checks.Outcome(flags &^ login), Login: flags&login != 0,
			Probe: u.name(), Epoch: u.name(), Class: checks.Class(u.name()), Seq: uint64(u.number()),
			Ended: u.at(),
		}
		r.Started = instant(u.last - u.number())
		r.Every = time.Duration(u.number())
		if r.Outcome > checks.Down {
			u.err = errPacked
		}
		list = append(list, r)
	}
	return list
}

func (p *packer) trials(list []trial) []byte {
	for _, t := range list {
		p.at(t.ended)
		i := int64(0)
		if t.failed {
			i = 1
		}
		p.number(i)
		p.name(t.probe)
		if t.failed {
			p.name(string(t.class))
		}
	}
	return p.done()
}

func (u *unpacker) trials() (list []trial) {
	for u.more() {
		t := trial{ended: u.at(), failed: u.number() == 1, probe: u.name()}
		if t.failed {
			t.class = checks.Class(u.name())
		}
		list = append(list, t)
	}
	return list
}

func (p *packer) runs(list []run) []byte {
	for _, r := range list {
		p.at(r.ended)
		p.number(int64(r.took))
	}
	return p.done()
}

func (u *unpacker) runs() (list []run) {
	for u.more() {
		list = append(list, run{u.at(), time.Duration(u.number())})
	}
	return list
}

func (p *packer) tallies(list []tally) []byte {
	for _, t := range list {
		p.number(int64(t.bin))
		p.number(int64(t.n))
	}
	return p.done()
}

func (u *unpacker) tallies() (list []tally) {
	for u.more() {
		t := tally{int(u.number()), int(u.number())}
		if n := len(list); t.bin < 0 || t.bin > binOf(checks.MaxEvery) || t.n < 1 || n > 0 && t.bin <= list[n-1].bin {
			u.err = errPacked
		}
		list = append(list, t)
	}
	return list
}
