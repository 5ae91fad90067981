package conformance

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Scale is by how much the durations of the rules are shortened.
const Scale = 15

var (
	clause    = regexp.MustCompile(`(?m)^\s*(?:for|keep_firing_for): \S+$|\[[0-9smhd]+\]|offset [0-9smhd]+`)
	duration  = regexp.MustCompile(`\b(\d+)(s|m|h|d)\b`)
	inSeconds = regexp.MustCompile(`> (60|120|300)\b`) // the thresholds that are compared with seconds
)

// Shorten divides the durations in a file of rules by Scale.
func Shorten(rules string) string {
	shorten := func(text string) string {
		return duration.ReplaceAllStringFunc(text, func(d string) string {
			unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[d[len(d)-1]]
			n, _ := strconv.Atoi(d[:len(d)-1]) // by the expression
			return strconv.FormatInt((time.Duration(n)*unit/Scale).Milliseconds(), 10) + "ms"
		})
	}
	rules = clause.ReplaceAllStringFunc(rules, shorten)
	return inSeconds.ReplaceAllStringFunc(rules, func(s string) string {
		n, _ := strconv.Atoi(strings.TrimPrefix(s, "> "))
		return fmt.Sprintf("> %.3f", float64(n)/Scale)
	})
}
