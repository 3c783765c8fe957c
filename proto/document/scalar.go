package document

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// ParseDuration reads "30s", "1m30s", and whole days and years as "7d" and
// "1y"; a year is 365 days. It is never zero or negative.
func ParseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if unit, ok := map[string]time.Duration{"d": day, "y": year}[last(s)]; ok {
		d, err = multiple(s[:len(s)-1], unit)
	}
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("got %s, expected a duration such as 30s, 15m, 7d or 1y", Quote(s))
	}
	return d, nil
}

// ParseSize reads a size in bytes with its unit, "20GB": B, kB, MB, GB or TB,
// each 1000 of the one before. It is never zero.
func ParseSize(s string) (int64, error) {
	number := strings.TrimRight(s, "kMGTB")
	scale := map[string]float64{"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[s[len(number):]]
	n, err := multiple(number, 1)
	if err != nil || scale == 0 || n == 0 || float64(n)*scale > math.MaxInt64/2 {
		return 0, fmt.Errorf("got %s, expected a size such as 500MB or 20GB", Quote(s))
	}
	return int64(n) * int64(scale), nil
}

// multiple reads plain digits and multiplies by unit, within the range of
// time.Duration.
func multiple(digits string, unit time.Duration) (time.Duration, error) {
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("read number: %w", err)
	}
	if n > uint64(math.MaxInt64/unit) {
		return 0, fmt.Errorf("%s is out of range", digits)
	}
	return time.Duration(n) * unit, nil
}

func last(s string) string {
	if s == "" {
		return ""
	}
	return s[len(s)-1:]
}

// Quote puts a value of the document into a message: quoted, one line, bounded.
func Quote(s string) string { return strconv.Quote(clip(s)) }

// clip bounds what a message repeats of the document.
func clip(s string) string {
	const most = 100
	s = strings.ToValidUTF8(s, "\uFFFD")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strings.Map(printable, s)
}

func printable(r rune) rune {
	if strconv.IsPrint(r) {
		return r
	}
	return '\uFFFD'
}
