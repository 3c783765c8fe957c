package mesh

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"varde/checks"
)

const (
	// metaVersion is the first byte of a node's meta. A reader ignores what
	// follows the fields that it knows, so that fields can be added.
	metaVersion = 1
	// maxSite is the largest length of a site, in bytes. The whole meta has at
	// most 1 + 2 + 63 + 64 + 23 of the 512 bytes that memberlist allows.
	maxSite = 64
)

// encodeMeta is what a member says of itself: version, region and site with a byte
// of length in front of each, and its standing.
func encodeMeta(region, site string, s Standing) []byte {
	b := append([]byte{metaVersion, byte(len(region))}, region...)
	return appendStanding(append(append(b, byte(len(site))), site...), s)
}

// decodeMeta reads what encodeMeta wrote. Whoever holds the key can send
// anything, so what it reads is bounded and printable, or refused.
func decodeMeta(b []byte) (region, site string, s Standing, err error) {
	if len(b) == 0 || b[0] != metaVersion {
		return "", "", Standing{}, errors.New("meta of a version that is not known")
	}
	region, b, err = field(b[1:])
	if err == nil {
		site, b, err = field(b)
	}
	if err == nil {
		err = validate(region, site)
	}
	if err == nil {
		s, err = decodeStanding(b)
	}
	if err != nil {
		return "", "", Standing{}, err
	}
	return region, site, s, nil
}

func field(b []byte) (value string, rest []byte, err error) {
	if len(b) == 0 || int(b[0]) > len(b)-1 {
		return "", nil, errMetaCut
	}
	n := 1 + int(b[0])
	return string(b[1:n]), b[n:], nil
}

func validate(region, site string) error {
	if !checks.ValidID(region) {
		return fmt.Errorf("region %q, expected an id", region)
	}
	if len(site) > maxSite || !utf8.ValidString(site) {
		return fmt.Errorf("site of %d bytes, expected at most %d of UTF-8", len(site), maxSite)
	}
	for _, r := range site {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("site %q, expected printable characters", site)
		}
	}
	return nil
}
