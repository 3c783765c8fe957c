package availability

import "math"

// Z95 is the two-sided 95 % quantile of the normal distribution.
const Z95 = 1.959964

// Wilson is the interval of a ratio that was measured by n independent runs, for a
// quantile z of the normal distribution:
//
//	(p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)
//
// Failures come together: the probes of a region fail at the same time, and one
// failure follows another. So n is to be the effective number of runs, see
// [Clustering]. Without runs the interval is [0, 1].
func Wilson(ratio, n, z float64) (low, high float64) {
	if n <= 0 {
		return 0, 1
	}
	z2 := z * z
	centre := ratio + z2/(2*n)
	half := z * math.Sqrt(max(ratio*(1-ratio), 0)/n+z2/(4*n*n))
	scale := 1 + z2/n
	low, high = max((centre-half)/scale, 0), min((centre+half)/scale, 1)
	// These two hold exactly, and rounding must not say otherwise.
	if ratio <= 0 {
		low = 0
	}
	if ratio >= 1 {
		high = 1
	}
	return low, high
}

// Effective is to how many independent runs n runs come, in clusters of m whose
// members agree by the intraclass correlation rho (Kish):
//
//	n / (1 + (m-1) rho)
//
// With rho = 0 every run counts, with rho = 1 every cluster counts once.
func Effective(n, m, rho float64) float64 { return n / (1 + (max(m, 1)-1)*rho) }

// Clustering estimates rho, from 0 to 1, by how much the blocks of time differ more
// than independent runs would. A cluster is what all probes of all the regions ran in one
// block of five minutes, or longer where nothing finer is kept. With the seconds d
// down and k known of region r in block b, shares w of the weight and the ratio p of
// the whole, the variance of the ratio is
//
//	V = B/(B-1) Σ_b (Σ_r w_r (d_rb - q_r k_rb) / K_r)²
//
// (that of a ratio over clusters, linearised; q_r is the share down and K_r the known
// time of the region), that of n independent runs is p(1-p)/n, and rho follows from
// what the first is of the second: 1 + (m-1) rho = V n / p(1-p), for m = n/B runs in a
// cluster.
//
// Where nothing failed, or nothing worked, nothing shows how failures cluster, and
// rho is 0. Trouble in a single block is one event: rho is 1. Blocks are taken for independent,
// so an outage that is much longer than a block makes the truth still less certain.
func Clustering(shares []Share) float64 {
	ratio, _, ok := overall(shares)
	if !ok || ratio <= 0 || ratio >= 1 {
		return 0
	}
	times := blockTimes(shares)
	if len(times) < 2 {
		return 1
	}
	n := independent(shares)
	m := n / float64(len(times))
	if m <= 1 {
		return 0
	}
	design := blockVariance(shares, times) * n / (ratio * (1 - ratio))
	return min(max((design-1)/(m-1), 0), 1)
}

func overall(shares []Share) (ratio, coverage float64, ok bool) {
	regions := make([]Region, len(shares))
	for i, s := range shares {
		regions[i] = s.Region(s.Weight)
	}
	return Overall(regions)
}

// effective is the effective number of runs of all regions.
func effective(shares []Share, rho float64) float64 {
	n := independent(shares)
	return Effective(n, n/float64(max(len(blockTimes(shares)), 1)), rho)
}

// knownWeights are the shares of the weight of those regions of which anything is known;
// the others have none.
func knownWeights(shares []Share) []float64 {
	out := make([]float64, len(shares))
	equal, sum := unweighted(shares, func(s Share) float64 { return s.Weight }), 0.0
	for i, s := range shares {
		if s.Known() > 0 {
			out[i] = weightOf(s.Weight, equal)
			sum += out[i]
		}
	}
	for i := range out {
		if sum > 0 {
			out[i] /= sum
		}
	}
	return out
}

// independent is the number of runs as if each were independent: of a mean by
// weight 1 / Σ w²/n, so that it does not count for more that one region has many.
func independent(shares []Share) float64 {
	inverse := 0.0
	for i, w := range knownWeights(shares) {
		if w > 0 {
			inverse += w * w / float64(max(shares[i].Runs, 1))
		}
	}
	if inverse <= 0 {
		return 0
	}
	return 1 / inverse
}

// blockVariance is the variance of the mean by weight, found from its blocks.
func blockVariance(shares []Share, times []int64) float64 {
	sum, weights := 0.0, knownWeights(shares)
	for _, at := range times {
		residual := 0.0
		for i, s := range shares {
			if weights[i] <= 0 {
				continue
			}
			all, block := s.Known().Seconds(), s.blocks[at]
			residual += weights[i] * (block.Down.Seconds() - s.Down.Seconds()/all*block.Known().Seconds()) / all
		}
		sum += residual * residual
	}
	blocks := float64(len(times))
	return blocks / (blocks - 1) * sum
}
