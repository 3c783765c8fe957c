package report

import (
	"fmt"
	"time"
)

// Month is a month of the calendar in UTC.
type Month struct {
	Year  int
	Month time.Month
}

// The first and the last month that can be written with four digits and of which
// anything can have been measured.
const (
	firstYear = 2000
	lastYear  = 9999
)

// monthFormat is how a month is written.
const monthFormat = "2006-01"

// ParseMonth reads a month as it is written: "2026-10".
func ParseMonth(text string) (Month, error) {
	t, err := time.Parse(monthFormat, text)
	if err != nil || t.Year() < firstYear {
		return Month{}, fmt.Errorf("got month %.40q, expected one such as 2026-10, from the year %d on", text, firstYear)
	}
	return MonthOf(t), nil
}

// MonthOf is the month in which a time lies.
func MonthOf(t time.Time) Month {
	t = t.UTC()
	return Month{t.Year(), t.Month()}
}

// LastWhole is the last month that is over at the given time.
func LastWhole(now time.Time) Month { return MonthOf(MonthOf(now).From().Add(-time.Second)) }

// From is when the month begins, To when the next one does.
func (m Month) From() time.Time { return time.Date(m.Year, m.Month, 1, 0, 0, 0, 0, time.UTC) }

// To is when the month is over.
func (m Month) To() time.Time { return m.From().AddDate(0, 1, 0) }

// Begun refuses a month of which nothing can have been measured at the given time.
func (m Month) Begun(now time.Time) error {
	if m.From().Before(now) {
		return nil
	}
	return fmt.Errorf("got month %s, which has not begun, expected one up to %s", m, MonthOf(now))
}

// String writes the month as [ParseMonth] reads it.
func (m Month) String() string { return m.From().Format(monthFormat) }

// Name is the month as people write it: "October 2026".
func (m Month) Name() string { return m.From().Format("January 2006") }

// MarshalText writes the month.
func (m Month) MarshalText() ([]byte, error) { return []byte(m.String()), nil }
