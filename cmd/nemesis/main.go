// Command nemesis injects faults into real Kafka and Redis servers in containers, and kills and rebalances real mainstay processes,
// under load. At the end an audit and an independent recount of what was sent must find nothing lost, doubled or differing. It writes
// what the runs came to as a section of a page.
//
// SIGINT or SIGTERM ends a run early: what was sent by then is judged and reported. A second one gives up.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mainstay/mainstay/pkg/testbed/containers"
	"github.com/mainstay/mainstay/pkg/testbed/nemesis"
)

// options are the command line.
type options struct {
	faults int
	sets   string
	kills  int
	events int64
	seed   uint64
	rate   int64
	page   string
	binary string
	logs   string
}

// allSets are the values of -sets.
var allSets = []string{"cluster", "sentinel", "brokers"}

func main() {
	o := options{}
	flag.IntVar(&o.faults, "faults", 20, "faults of each set of servers")
	flag.StringVar(&o.sets, "sets", strings.Join(allSets, ","), "sets of servers to run")
	flag.IntVar(&o.kills, "kills", 0, "run a soak instead: this many kills, a tenth as many failovers of Redis, half as many rebalances")
	flag.Int64Var(&o.events, "events", 0, fmt.Sprintf("events of a soak; 0: %d for each kill", nemesis.EventsPerKill))
	flag.Uint64Var(&o.seed, "seed", 0, "seed of the shop and of the faults; 0: from the clock")
	flag.Int64Var(&o.rate, "rate", 300, "events per second; a soak adapts it to the number of events")
	flag.StringVar(&o.page, "page", "", "page whose section between <!-- nemesis --> (or <!-- soak -->) and <!-- end --> is replaced; empty: only print")
	flag.StringVar(&o.binary, "mainstay", "", "program to test; empty: build this tree")
	flag.StringVar(&o.logs, "logs", "", "file to which the logs of all processes of mainstay are appended; empty: none")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "nemesis:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	sets := strings.Split(o.sets, ",")
	for _, name := range sets {
		if !slices.Contains(allSets, name) {
			return fmt.Errorf("-sets: %q is not one of %s", name, strings.Join(allSets, ", "))
		}
	}
	if o.faults < 1 || o.kills < 0 || o.rate < 1 || o.events < 0 {
		return errors.New("-faults and -rate must be at least 1, -kills and -events not negative")
	}
	if o.page != "" {
		if _, err := os.Stat(o.page); err != nil { // before hours are spent
			return fmt.Errorf("-page: %w", err)
		}
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano())
	}
	ctx, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	stop := stopOnSignal(giveUp)
	if o.binary == "" {
		dir, err := os.MkdirTemp("", "mainstay-nemesis-")
		if err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }() // it is in the directory for temporary files
		if o.binary, err = containers.Build(ctx, dir); err != nil {
			return err
		}
	}
	logs := io.Discard
	if o.logs != "" {
		file, err := os.OpenFile(o.logs, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("-logs: %w", err)
		}
		defer func() { _ = file.Close() }() // a line that is not written is not worth the run
		logs = file
	}
	reports, failures := o.runAll(ctx, sets, stop, logs)
	command, section := fmt.Sprintf("make nemesis FAULTS=%d SEED=%d", o.faults, o.seed), "nemesis"
	if o.kills > 0 {
		command, section = fmt.Sprintf("make soak KILLS=%d SEED=%d", o.kills, o.seed), "soak"
	}
	text := nemesis.Markdown(command, reports)
	fmt.Printf("\n%s", text)
	return errors.Join(failures, writeSection(o.page, section, text))
}

// stopOnSignal closes the channel with the first signal, and gives up with the second.
func stopOnSignal(giveUp func()) <-chan struct{} {
	signals, stop := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		fmt.Fprintln(os.Stderr, "stopping: what was sent is judged and reported; once more gives up")
		close(stop)
		<-signals
		giveUp()
	}()
	return stop
}

// runAll runs the sets one after the other. One that fails does not keep the next from running.
func (o options) runAll(ctx context.Context, names []string, stop <-chan struct{}, logs io.Writer) (reports []*nemesis.Report, failures error) {
	began := time.Now()
	c := nemesis.Config{Faults: o.faults, Seed: o.seed, Rate: o.rate, Program: o.binary, Logs: logs, Log: func(format string, args ...any) {
		fmt.Printf(time.Now().Format("15:04:05 ")+format+"\n", args...)
	}}
	add := func(r *nemesis.Report, err error) {
		reports, failures = append(reports, r), errors.Join(failures, err)
		if err != nil {
			c.Log("FAILED: %v", err)
		}
	}
	if o.kills > 0 {
		c.Set, c.Events = nemesis.Soak(o.kills), o.events
		if c.Events == 0 {
			c.Events = int64(o.kills) * nemesis.EventsPerKill
		}
		add(nemesis.Run(ctx, c, stop))
		return reports, failures
	}
	sets := map[string]nemesis.Set{"cluster": nemesis.RedisCluster(), "sentinel": nemesis.Sentinels(), "brokers": nemesis.KafkaBrokers()}
	for _, name := range names {
		select {
		case <-stop:
			c.Log("%s is left out", name)
			continue
		default:
		}
		c.Set, c.Losing = sets[name], nil
		if name == "brokers" {
			c.Losing = nemesis.LosingTopics()
		}
		add(nemesis.Run(ctx, c, stop))
	}
	c.Log("all took %s", time.Since(began).Round(time.Second))
	return reports, failures
}

// writeSection replaces a section of a page.
func writeSection(page, name, text string) error {
	if page == "" {
		return nil
	}
	old, err := os.ReadFile(page)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	from, to := []byte("<!-- "+name+" -->\n"), []byte("<!-- end -->")
	before, rest, found := bytes.Cut(old, from)
	_, after, ended := bytes.Cut(rest, to)
	if !found || !ended {
		return fmt.Errorf("%s has no section between %q and %q", page, bytes.TrimSpace(from), to)
	}
	if err := os.WriteFile(page, slices.Concat(before, from, []byte("\n"+text+"\n"), to, after), 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
