package checks_test

import (
	"testing"

	"varde/checks"
)

func TestStatuses(t *testing.T) {
	for _, tt := range []struct {
		set     checks.Statuses
		in, out []int
	}{
		{"", []int{200}, []int{199, 201, 304}},
		{"204", []int{204}, []int{200}},
		{"2xx", []int{200, 299}, []int{199, 300}},
		{"200, 301-308", []int{200, 301, 308}, []int{201, 309}},
		{"200,4xx", []int{200, 404}, []int{500}},
	} {
		if err := tt.set.Validate(); err != nil {
			t.Errorf("%q: %v", tt.set, err)
		}
		for _, status := range tt.in {
			if !tt.set.Contain(status) {
				t.Errorf("%q does not contain %d", tt.set, status)
			}
		}
		for _, status := range tt.out {
			if tt.set.Contain(status) {
				t.Errorf("%q contains %d", tt.set, status)
			}
		}
	}
	for _, bad := range []checks.Statuses{"99", "600", "xx", "1xx", "6xx", "300-200", "200-", "ok", "200;201", ","} {
		if err := bad.Validate(); err == nil || bad.Contain(200) && bad != "200;201" {
			t.Errorf("%q is taken for a set", bad)
		}
	}
}
