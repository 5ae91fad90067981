// Package alert owns episodes: what a rule looks at, when its episode opens and closes, and what a support agent is told.
//
// An episode is pending while the metric stays on the alert's side for the rule's duration, fires, and is over behind the
// clear threshold; a cool-down keeps the next one waiting. What silence crosses, it crosses at a moment known in closed form,
// so an episode begins when it began, however coarsely time is told.
//
// It refuses to alarm for what is not of the customer's own life: a first evaluation, history that comes late, a refit, new
// thresholds or changed rules open and close episodes silently (baseline). And it refuses floods: see Fuses.
package alert
