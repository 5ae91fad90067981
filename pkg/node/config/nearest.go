package config

import "strings"

// didYouMean returns "; the nearest is X", or an empty string when no known name is near.
func didYouMean(unknown string, known []string) string {
	if near := nearest(unknown, known); near != "" {
		return "; the nearest is " + near
	}
	return ""
}

// nearest returns the first known name with the least edit distance to the unknown one, or "" when that distance exceeds a third
// of the unknown name. A key in the wrong section counts as near: brokers for kafka.brokers.
func nearest(unknown string, known []string) string {
	best, least := "", max(2, len(unknown)/3)+1
	for _, k := range known {
		d := editDistance(unknown, k)
		if strings.HasSuffix(k, "."+unknown[strings.LastIndexByte(unknown, '.')+1:]) {
			d = min(d, 2)
		}
		if d < least {
			best, least = k, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance in bytes.
func editDistance(a, b string) int {
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
