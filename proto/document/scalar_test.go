package document

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "1m30s": 90 * time.Second, "7d": 168 * time.Hour, "400d": 9600 * time.Hour,
		"1y": 8760 * time.Hour, "10y": 87600 * time.Hour, "250ms": 250 * time.Millisecond,
		"": 0, "d": 0, "y": 0, "-7d": 0, "+7d": 0, "0d": 0, "0s": 0, "1.5d": 0, "7 d": 0, "293y": 0, "99999999999y": 0,
		"30": 0, "1d12h": 0, "-5s": 0, "7D": 0,
	} {
		got, err := ParseDuration(s)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: got %s, %v, want %s", s, got, err, want)
		}
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"20GB": 20e9, "500MB": 500e6, "64kB": 64e3, "1TB": 1e12, "7B": 7, "4294967295TB": 0,
		"": 0, "B": 0, "20": 0, "20Gb": 0, "20G": 0, "-1GB": 0, "0GB": 0, "1.5GB": 0, "20GBGB": 0, "20 GB": 0, "GB20": 0,
	} {
		got, err := ParseSize(s)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: got %d, %v, want %d", s, got, err, want)
		}
	}
}
