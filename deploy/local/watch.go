package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// look is how often the fleet is looked at for what to tell on the terminal.
const look = 500 * time.Millisecond

// maxAnswer bounds one answer of the coordinator.
const maxAnswer = 4 << 20

// verdictNow is one element of /api/v1/verdicts.
type verdictNow struct {
	Check, Service, Region, Family, State, Reason string
}

func (v verdictNow) series() string { return v.Check + "/" + v.Region + "/" + v.Family }

// watch tells what a person would otherwise have to open a page for: the first
// observation and every change of verdict. It reads what anybody can read.
func (f *fleet) watch(ctx context.Context, heal <-chan os.Signal) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	last := map[string]string{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-heal:
			f.heal()
		case <-tick.C:
			if err := f.tell(ctx, last); err != nil && ctx.Err() == nil {
				f.log.Warn("look at own fleet", "error", err) // the fleet goes on without its narrator
			}
		}
	}
}

// heal ends what --break began.
func (f *fleet) heal() {
	for _, d := range f.detours {
		d.Heal()
	}
	f.say("healed %s", f.opts.Break)
}

func (f *fleet) say(format string, args ...any) {
	_, _ = fmt.Fprintf(f.out, "%7.1f s  %s\n", time.Since(f.began).Seconds(), fmt.Sprintf(format, args...)) // a closed terminal stops nothing
}

// tell prints what changed since last.
func (f *fleet) tell(ctx context.Context, last map[string]string) error {
	var verdicts []verdictNow
	if err := f.get(ctx, "/api/v1/verdicts", &verdicts); err != nil {
		return err
	}
	if len(verdicts) > 0 && f.first.Load() == 0 {
		f.first.Store(int64(time.Since(f.began)))
		f.say("first observation")
	}
	for _, v := range verdicts {
		before, known := last[v.series()]
		last[v.series()] = v.State
		if v.State == before || !known && v.State == "unknown" || before == "" && v.State == "up" {
			continue
		}
		if before == "" || before == "unknown" && v.State == "up" {
			before = "not known"
		}
		reason := v.Reason
		if reason != "" {
			reason = ": " + reason
		}
		f.say("%s in %s is %s, was %s%s", v.Check, v.Region, v.State, before, reason)
	}
	return nil
}

// get reads JSON from the operator listener.
func (f *fleet) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.server.Addresses().Ops+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %.200s", path, resp.Status, body)
	}
	return json.Unmarshal(body, into)
}

// summary reads how the fleet was.
func (f *fleet) summary(ctx context.Context) (summary, error) {
	at := f.server.Addresses()
	s := summary{
		Elapsed: time.Since(f.began), First: time.Duration(f.first.Load()), Regions: regions(),
		Probes: probesPerRegion * len(regions()), Public: at.Public, Ops: at.Ops, State: f.opts.State,
	}
	var services []struct {
		ID, Name string
		Regions  []struct{ Region, State string }
	}
	if err := f.get(ctx, "/api/v1/services", &services); err != nil {
		return s, err
	}
	for _, service := range services {
		row := summaryRow{Service: service.Name}
		for _, r := range service.Regions {
			cell := summaryCell{State: r.State}
			var a struct{ Availability *float64 }
			q := url.Values{"service": {service.ID}, "region": {r.Region}, "from": {f.began.UTC().Format(time.RFC3339)}}
			if err := f.get(ctx, "/api/v1/availability?"+q.Encode(), &a); err != nil {
				return s, err
			}
			if a.Availability != nil {
				cell.Availability, cell.Known = *a.Availability, true
			}
			row.Cells = append(row.Cells, cell)
		}
		s.Services = append(s.Services, row)
	}
	return s, nil
}

// welcome says where to look.
func (f *fleet) welcome() string {
	at := f.server.Addresses()
	return summary{Public: at.Public, Ops: at.Ops}.welcome()
}

// hint says what else can be done.
func (f *fleet) hint() string {
	text := fmt.Sprintf("Watching     %d services from %d probes in %d regions, every %s\n",
		len(f.services()), probesPerRegion*len(regions()), len(regions()), every)
	if f.opts.Break != "" {
		text += fmt.Sprintf("Broken       %s is silent; heal it with: kill -USR1 %d\n", f.opts.Break, os.Getpid())
	}
	return text + "Ctrl-C ends it.\n"
}

// loopbackPort is an address of loopback that is free now.
func loopbackPort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
