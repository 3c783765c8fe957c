package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
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
	resp, err := f.ask(ctx, path)
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

func (f *fleet) ask(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.server.Addresses().Ops+path, nil)
	if err != nil {
		return nil, err
	}
	if f.token != "" {
		req.Header.Set("Authorization", "Bearer "+f.token)
	}
	return http.DefaultClient.Do(req)
}

// logIn reads the token of operators where their listener asks for it.
func (f *fleet) logIn(ctx context.Context) error {
	resp, err := f.ask(ctx, "/api/v1/services")
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusUnauthorized {
		return err
	}
	token, err := os.ReadFile(f.tokenFile())
	f.token = strings.TrimSpace(string(token))
	return err
}

func (f *fleet) tokenFile() string { return filepath.Join(f.dir, "coordinator", "operator.token") }

// summary reads how the fleet was.
func (f *fleet) summary(ctx context.Context) (summary, error) {
	s := summary{
		Elapsed: time.Since(f.began), First: time.Duration(f.first.Load()), Regions: regions(),
		Probes: probesPerRegion * len(regions()), State: f.opts.State,
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

// welcome says where to look and what else can be done.
func (f *fleet) welcome() string {
	at := f.server.Addresses()
	text := fmt.Sprintf("Status page  http://%s/\nOperators    http://%s/\n", visited(at.Public), visited(at.Ops))
	if f.token != "" {
		text += fmt.Sprintf("             log in with the token in %s\n", f.tokenFile())
	}
	text += fmt.Sprintf("Watching     %d services from %d probes in %d regions, every %s\n",
		len(f.targets), probesPerRegion*len(regions()), len(regions()), every)
	if f.opts.Break != "" {
		text += fmt.Sprintf("Broken       %s is silent; heal it with: kill -USR1 %d\n", f.opts.Break, os.Getpid())
	}
	return text + "Ctrl-C ends it.\n"
}

// visited is where to find what listens at an address: a listener on every
// address of the machine is found at the first one that others reach.
func visited(listening string) string {
	at, err := netip.ParseAddrPort(listening)
	if err != nil || !at.Addr().IsUnspecified() {
		return listening
	}
	addrs, _ := net.InterfaceAddrs() // without any there is the loopback
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
			return netip.AddrPortFrom(p.Addr(), at.Port()).String()
		}
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), at.Port()).String()
}
