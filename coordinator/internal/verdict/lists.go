package verdict

import (
	"slices"
	"time"

	"varde/checks"
)

// namesIn are all names that the lists of a judge hold.
func (j *Judge) namesIn() []string {
	var out []string
	for _, r := range j.window {
		out = append(out, r.Probe, r.Epoch, string(r.Class), string(r.Phase), r.Network)
	}
	for _, t := range j.trials {
		out = append(out, t.probe)
		if t.how != nil {
			out = append(out, string(t.how.class), string(t.how.phase), t.how.network)
		}
	}
	for _, r := range j.recent {
		out = append(out, string(r.phase))
	}
	for _, s := range j.streaks {
		out = append(out, s.probe)
	}
	return out
}

// The bits beside the outcome of a packed result, and beside that of a packed trial.
// Former versions did not know where, which says that a phase and a network follow.
const (
	login       = 8
	where       = 16
	trialFailed = 1
	trialWhere  = 2
)

func (p *packer) results(list []Result) []byte {
	for _, r := range list {
		flags := int64(r.Outcome)
		if r.Login {
			flags |= login
		}
		if r.Phase != "" || r.Network != "" {
			flags |= where
		}
		p.number(flags)
		p.name(r.Probe)
		p.name(r.Epoch)
		p.name(string(r.Class))
		p.number(int64(r.Seq)) // two's complement: it comes back as it was
		p.at(r.Ended)
		p.number(nanos(r.Ended) - nanos(r.Started))
		p.number(int64(r.Every))
		if flags&where != 0 {
			p.name(string(r.Phase))
			p.name(r.Network)
		}
	}
	return p.done()
}

func (u *unpacker) results() (list []Result) {
	for u.more() {
		flags := u.number()
		r := Result{
			Outcome: checks.Outcome(flags &^ (login | where)), Login: flags&login != 0,
			Probe: u.name(), Epoch: u.name(), Class: checks.Class(u.name()), Seq: uint64(u.number()),
			Ended: u.at(),
		}
		r.Started = instant(u.last - u.number())
		r.Every = time.Duration(u.number())
		if flags&where != 0 {
			r.Phase, r.Network = checks.Phase(u.name()), u.name()
		}
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
		if t.how == nil {
			p.number(0)
			p.name(t.probe)
			continue
		}
		p.number(trialFailed | trialWhere)
		p.name(t.probe)
		p.name(string(t.how.class))
		p.name(string(t.how.phase))
		p.name(t.how.network)
	}
	return p.done()
}

func (u *unpacker) trials() (list []trial) {
	for u.more() {
		t := trial{ended: u.at()}
		flags := u.number()
		t.probe, t.failed = u.name(), flags&trialFailed != 0
		if t.failed {
			t.how = &how{class: checks.Class(u.name())}
		}
		if t.failed && flags&trialWhere != 0 {
			t.how.phase, t.how.network = checks.Phase(u.name()), u.name()
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
		list = append(list, run{ended: u.at(), took: time.Duration(u.number())})
	}
	return list
}

// phases are those of the runs, beside them: former versions had none.
func (p *packer) phases(list []run) []byte {
	if !slices.ContainsFunc(list, func(r run) bool { return r.phase != "" }) {
		return nil
	}
	for _, r := range list {
		p.name(string(r.phase))
	}
	return p.done()
}

func (u *unpacker) phases(list []run) {
	for i := range list {
		if u.more() {
			list[i].phase = checks.Phase(u.name())
		}
	}
}

func (p *packer) streaks(list []streak) []byte {
	for _, s := range list {
		p.name(s.probe)
		p.at(s.since)
	}
	return p.done()
}

func (u *unpacker) streaks() (list []streak) {
	for u.more() {
		list = append(list, streak{u.name(), u.at()})
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
