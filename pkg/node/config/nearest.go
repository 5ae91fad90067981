package config

import "strings"

// didYouMean is "; the nearest is X", or empty when nothing is near.
func didYouMean(unknown string, known []string) string {
	if near := nearest(unknown, known); near != "" {
		return "; the nearest is " + near
	}
	return ""
}

// nearest returns the known name that the fewest edits part from the unknown one, the first of several, or "" when even
// that one differs in more than a third of it. A key in the wrong section counts as near: brokers for kafka.brokers.
func nearest(unknown string, known []string) string {
	best, least := "", max(2, len(unknown)/3)+1
	for _, k := range known {
		d := edits(unknown, k)
		if strings.HasSuffix(k, "."+unknown[strings.LastIndexByte(unknown, '.')+1:]) {
			d = min(d, 2)
		}
		if d < least {
			best, least = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance, in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
