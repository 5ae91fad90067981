package nemesis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	Sent    int64                // events
	Resent  int64                // events that were sent again, since the outcome of their request was unknown
	Stopped bool                 // before all planned faults were injected
	Verdict Verdict
	Noticed string // how a loss was noticed, where one was forced
	Failure string // empty: none
}

// Injected counts the faults of a name.
type Injected struct {
	Times     int
	Lasted    time.Duration // the longest, from the beginning until it was healed
	Recovered int           // after how many of them Mainstay was waited for
	Slowest   time.Duration // recovery: from when the fault was healed until all that had been sent by then was processed and committed
	recovery  time.Duration // sum
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

func (r *Report) add(name string, lasted, recovery time.Duration, recovered bool) {
	in := r.Done[name]
	if in == nil {
		in = &Injected{}
		r.Done[name] = in
	}
	in.Times++
	in.Lasted = max(in.Lasted, lasted)
	if recovered {
		in.Recovered++
		in.recovery += recovery
		in.Slowest = max(in.Slowest, recovery)
	}
}

// Faults is the number of faults that were injected.
func (r *Report) Faults() (n int) {
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
			mean, slowest := "not waited for", "not waited for"
			if in.Recovered > 0 {
				mean, slowest = seconds(in.recovery/time.Duration(in.Recovered)), seconds(in.Slowest)
			}
			fmt.Fprintf(&b, "| %s | %d | %s | %s | %s |\n", name, in.Times, seconds(in.Lasted), mean, slowest)
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
