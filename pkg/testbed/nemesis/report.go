package nemesis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mainstay/mainstay/pkg/ops/audit"
	"github.com/mainstay/mainstay/pkg/testbed/containers"
)

// Report is what a run came to.
type Report struct {
	Set     string
	Seed    uint64
	At      time.Time
	Took    time.Duration
	Planned int
	Done    map[string]*Injected // by the fault's name
	Rounds  Recovery             // after rounds of several faults
	Sent    int64                // events
	Resent  int64                // events that were sent again, since the outcome of their request was unknown
	Stopped bool                 // before all planned faults were injected
	Verdict Verdict
	Noticed string // how a loss was noticed, where one was forced
	Failure string // empty: none

	mu sync.Mutex // of Done
}

// Injected counts the faults of a name.
type Injected struct {
	Times    int
	Lasted   time.Duration // the longest, from the beginning until it was healed
	Recovery Recovery      // if it was the only fault of its round
}

// Recovery is the time from when faults were healed until all that had been sent by then was processed and committed.
type Recovery struct {
	Times   int
	Slowest time.Duration
	sum     time.Duration
}

func (r *Recovery) add(took time.Duration) {
	r.Times++
	r.Slowest = max(r.Slowest, took)
	r.sum += took
}

// cells are the mean and the slowest.
func (r *Recovery) cells() (mean, slowest string) {
	if r.Times == 0 {
		return "not waited for", "not waited for"
	}
	return seconds(r.sum / time.Duration(r.Times)), seconds(r.Slowest)
}

// Verdict is the result of the audit and of the independent recount.
type Verdict struct {
	Audited, Recounted bool
	Audit              audit.Result

	Outputs, Purchases, Customers, Modelled int // that were compared with the recount
	Lost, Doubled, Differing                int // by the recount
	Differences                             []string
}

// Clean reports whether both were made and found nothing.
func (v *Verdict) Clean() bool {
	return v.Audited && v.Recounted && v.Audit.Clean() && v.Audit.Outputs > 0 && v.Audit.Customers > 0 && v.Customers > 0 && v.Lost+v.Doubled+v.Differing == 0
}

// String names what was found.
func (v *Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "audit %d lost, %d doubled, %d differing, %d missing; recount %d lost, %d doubled, %d differing",
		v.Audit.Lost, v.Audit.Doubled, v.Audit.Differing, v.Audit.StateMissing, v.Lost, v.Doubled, v.Differing)
	for _, f := range v.Audit.Findings {
		fmt.Fprintf(&b, "\n  audit: %s: partition %d, offset %d, %s: %s", f.Kind, f.Partition, f.Offset, f.Place, f.Detail)
	}
	for _, d := range v.Differences {
		fmt.Fprintf(&b, "\n  recount: %s", d)
	}
	return b.String()
}

func newReport(c Config, at time.Time) *Report {
	return &Report{Set: c.Set.Name, Seed: c.Seed, At: at, Done: map[string]*Injected{}}
}

// add counts a fault, and returns the number of faults so far.
func (r *Report) add(name string, lasted time.Duration) int {
	r.mu.Lock()
	in := r.Done[name]
	if in == nil {
		in = &Injected{}
		r.Done[name] = in
	}
	in.Times++
	in.Lasted = max(in.Lasted, lasted)
	r.mu.Unlock()
	return r.Faults()
}

// recovered counts the recovery after a round of faults.
func (r *Report) recovered(round []Fault, took time.Duration) {
	if len(round) > 1 {
		r.Rounds.add(took)
		return
	}
	r.Done[round[0].Name].Recovery.add(took)
}

// Faults is the number of faults that were injected.
func (r *Report) Faults() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, in := range r.Done {
		n += in.Times
	}
	return n
}

// Markdown is the report of several runs as a section of a page.
func Markdown(command string, reports []*Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "`%s`, %s, on %s; load average %s at the end.\n\n", command, time.Now().UTC().Format("2006-01-02 15:04 MST"), containers.Machine(), containers.LoadAverage())
	b.WriteString("| servers | seed | faults | events sent | sent again | took | audit: lost / doubled / differing / missing | recount: lost / doubled / differing | outcome |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range reports {
		faults, v := fmt.Sprint(r.Faults()), &r.Verdict
		if r.Planned != r.Faults() {
			faults += fmt.Sprintf(" of %d planned", r.Planned)
		}
		audited, recounted := "not made", "not made"
		if v.Audited {
			audited = fmt.Sprintf("%d / %d / %d / %d (%d entries, %d outputs, %d customers)",
				v.Audit.Lost, v.Audit.Doubled, v.Audit.Differing, v.Audit.StateMissing, v.Audit.Entries, v.Audit.Outputs, v.Audit.Customers)
		}
		if v.Recounted {
			recounted = fmt.Sprintf("%d / %d / %d (%d outputs, %d purchases, %d customers)", v.Lost, v.Doubled, v.Differing, v.Outputs, v.Purchases, v.Customers)
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %d | %d | %s | %s | %s | %s |\n", r.Set, r.Seed, faults, r.Sent, r.Resent, r.Took.Round(time.Second), audited, recounted, r.outcome())
	}
	b.WriteString("\n| fault | times | lasted at most | recovery, mean | recovery, slowest |\n|---|---|---|---|---|\n")
	for _, r := range reports {
		for _, name := range slices.SortedFunc(maps.Keys(r.Done), cmp.Compare[string]) {
			in := r.Done[name]
			mean, slowest := in.Recovery.cells()
			fmt.Fprintf(&b, "| %s | %d | %s | %s | %s |\n", name, in.Times, seconds(in.Lasted), mean, slowest)
		}
		if r.Rounds.Times > 0 {
			mean, slowest := r.Rounds.cells()
			fmt.Fprintf(&b, "| (after all faults of a round) | %d | | %s | %s |\n", r.Rounds.Times, mean, slowest)
		}
	}
	return b.String()
}

func (r *Report) outcome() string {
	switch {
	case r.Failure != "":
		return "FAILED: " + strings.ReplaceAll(r.Failure, "|", "/")
	case r.Noticed != "":
		return "clean; then losses were forced and noticed: " + r.Noticed
	case r.Stopped:
		return "stopped early; clean until then"
	}
	return "clean"
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
