package graph

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// rgb is a colour in linear light, 0 to 1.
type rgb [3]float64

// eyes see colours: the matrices of Machado, Oliveira and Fernandes (2009,
// "A physiologically-based model for simulation of color vision deficiency",
// table of severity 1.0), applied to linear light.
func eyes() map[string][3]rgb {
	return map[string][3]rgb{
		"trichromat":  {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		"protanope":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
		"deuteranope": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
		"tritanope":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
	}
}

func (c rgb) seenBy(eye [3]rgb) rgb {
	var out rgb
	for i, row := range eye {
		out[i] = min(1, max(0, row[0]*c[0]+row[1]*c[1]+row[2]*c[2]))
	}
	return out
}

// luminance is the relative luminance of WCAG 2.2.
func (c rgb) luminance() float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }

// contrast is the ratio of WCAG 2.2, 1 to 21.
func (c rgb) contrast(d rgb) float64 {
	light, dark := max(c.luminance(), d.luminance()), min(c.luminance(), d.luminance())
	return (light + 0.05) / (dark + 0.05)
}

// lab is the colour in CIELAB under D65.
func (c rgb) lab() [3]float64 {
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	x := f((0.4124564*c[0] + 0.3575761*c[1] + 0.1804375*c[2]) / 0.95047)
	y := f(0.2126729*c[0] + 0.7151522*c[1] + 0.0721750*c[2])
	z := f((0.0193339*c[0] + 0.1191920*c[1] + 0.9503041*c[2]) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// apart is the distance of two colours for an eye (CIE 1976): 2.3 is just
// noticeable side by side, and marks stand far from one another.
func apart(a, b rgb, eye [3]rgb) float64 {
	p, q := a.seenBy(eye).lab(), b.seenBy(eye).lab()
	return math.Sqrt((p[0]-q[0])*(p[0]-q[0]) + (p[1]-q[1])*(p[1]-q[1]) + (p[2]-q[2])*(p[2]-q[2]))
}

// schemes are the colours by name, for light, dark and print.
func schemes(t *testing.T) map[string]map[string]rgb {
	t.Helper()
	out := make(map[string]map[string]rgb)
	blocks := strings.Split(Palette(), ":root {")[1:]
	if len(blocks) != 3 {
		t.Fatalf("the palette has %d blocks, want light, dark and print", len(blocks))
	}
	name := regexp.MustCompile(`--([a-z0-9-]+):\s*#([0-9a-f]{6}|[0-9a-f]{3})\b`)
	for i, scheme := range []string{"light", "dark", "print"} {
		out[scheme] = make(map[string]rgb)
		for _, m := range name.FindAllStringSubmatch(blocks[i], -1) {
			out[scheme][m[1]] = parseColour(t, m[2])
		}
	}
	return out
}

func parseColour(t *testing.T, hex string) rgb {
	t.Helper()
	if len(hex) == 3 {
		hex = fmt.Sprintf("%c%c%c%c%c%c", hex[0], hex[0], hex[1], hex[1], hex[2], hex[2])
	}
	var out rgb
	for i := range out {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		v := float64(n) / 255
		if v <= 0.04045 {
			out[i] = v / 12.92
		} else {
			out[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return out
}

// Shapes and patterns say what a mark is to everybody, but a strip of a year
// has cells of two pixels, where only the colour is left.
func TestMarksAreToldApartByEveryEye(t *testing.T) {
	const enough = 14
	marks := []string{"up", "slow", "flaky", "down", "maint"}
	for scheme, colours := range schemes(t) {
		for name, eye := range eyes() {
			for i, a := range marks {
				for _, b := range append(marks[i+1:], "paper", "raised") {
					if d := apart(colours[a], colours[b], eye); d < enough {
						t.Errorf("%s, %s: --%s and --%s are %.1f apart, want at least %d", scheme, name, a, b, d, enough)
					}
				}
			}
		}
	}
}

// Phases are drawn in one order with names beside them, so that neighbours
// alone must be told apart.
func TestNeighbouringPhasesAreToldApart(t *testing.T) {
	const enough = 6.5
	for scheme, colours := range schemes(t) {
		for name, eye := range eyes() {
			for i := 1; i < 6; i++ {
				a, b := fmt.Sprintf("ph%d", i), fmt.Sprintf("ph%d", i+1)
				if d := apart(colours[a], colours[b], eye); d < enough {
					t.Errorf("%s, %s: --%s and --%s are %.1f apart, want at least %.1f", scheme, name, a, b, d, enough)
				}
			}
		}
	}
}

// Marks need 3:1 (WCAG 2.2, 1.4.11) and words 4.5:1 (1.4.3) on what they
// stand on.
func TestMarksAndWordsStandOut(t *testing.T) {
	least := map[string]float64{
		"up": 3, "slow": 3, "flaky": 3, "down": 3, "maint": 3, "ink": 4.5, "ink-2": 4.5,
		"up-ink": 4.5, "slow-ink": 4.5, "flaky-ink": 4.5, "down-ink": 4.5, "maint-ink": 4.5,
	}
	for scheme, colours := range schemes(t) {
		for _, ground := range []string{"paper", "raised"} {
			for name, want := range least {
				if got := colours[name].contrast(colours[ground]); got < want {
					t.Errorf("%s: --%s on --%s has a contrast of %.2f, want at least %.1f", scheme, name, ground, got, want)
				}
			}
		}
	}
}
