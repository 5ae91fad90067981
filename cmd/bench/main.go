// Command bench measures the whole pipeline on real Kafka and Redis: mainstay runs as a child process, so that its
// CPU time is measured separately; this process generates the load and reads the answers.
//
// It refuses to report results without their context: every figure is printed with its goal, the machine, the load average and a
// list of what is not measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mainstay/mainstay/pkg/testbed/containers"
)

// options are the command line.
type options struct {
	events      int
	customers   int
	base        int // customers of the partition that is claimed
	partitions  int
	rates       []int
	seconds     int
	takeovers   int
	kafka       string
	redis       string
	binary      string
	compression string
	profiles    string
	seed        uint64
	only        string
	closed      int // customers of the day's close that is measured
}

func main() {
	o := options{}
	rates := ""
	flag.IntVar(&o.events, "events", 1_000_000, "purchases of each pass at full speed")
	flag.IntVar(&o.customers, "customers", 100_000, "customers, chosen by a zipf distribution with exponent 1.1")
	flag.IntVar(&o.base, "base", 100_000, "customers of the one partition whose claim is measured")
	flag.IntVar(&o.closed, "closed", 1_000_000, "customers of the day's close that is measured")
	flag.IntVar(&o.partitions, "partitions", 8, "partitions of the ledger and of the input topic")
	flag.StringVar(&rates, "rates", "20000,60000", "rates of the passes at a fixed rate, in events per second")
	flag.IntVar(&o.seconds, "seconds", 15, "length of a pass at a fixed rate, after a warm-up of 3 seconds")
	flag.IntVar(&o.takeovers, "takeovers", 3, "number of owners to kill")
	flag.StringVar(&o.kafka, "kafka", "", "host:port of a broker instead of a container")
	flag.StringVar(&o.redis, "redis", "", "host:port of a Redis instead of a container; nothing else may change its memory usage")
	flag.StringVar(&o.binary, "mainstay", "", "binary to measure; empty: build this tree")
	flag.StringVar(&o.compression, "compression", "", "kafka.compression of mainstay; empty: its default")
	flag.StringVar(&o.profiles, "profiles", "", "directory for CPU profiles; empty: they are deleted")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the customers and amounts")
	flag.StringVar(&o.only, "only", "", "parts to run: outputs, close, speed, rates, claim, takeover (comma-separated); empty: all. The first two need no Docker")
	flag.Parse()
	for word := range strings.SplitSeq(rates, ",") {
		rate, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || rate <= 0 {
			fmt.Fprintf(os.Stderr, "--rates: %q is not a positive whole number\n", word)
			os.Exit(2)
		}
		o.rates = append(o.rates, rate)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	options
	program containers.Program
	scratch string // for profiles; deleted at the end unless it is --profiles
	figures []figure
	closers []func() error
}

// figure is a measured value with its goal.
type figure struct {
	name, value, goal string
	met               bool
}

func run(ctx context.Context, o options) (err error) {
	b := &bench{options: o}
	defer func() {
		for _, closer := range slices.Backward(b.closers) {
			err = errors.Join(err, closer())
		}
	}()
	began := time.Now()
	fmt.Printf("machine: %s\ncommand: %s\n", containers.Machine(), strings.Join(os.Args, " "))
	parts := []struct {
		name string
		run  func(context.Context) error
		fold bool // measures Step in this process, without servers
	}{
		{"outputs", b.outputs, true},
		{"close", b.close, true},
		{"speed", b.speed, false},
		{"rates", b.rate, false},
		{"claim", b.claim, false},
		{"takeover", b.takeover, false},
	}
	running := false
	for _, p := range parts {
		if o.only != "" && !strings.Contains(","+o.only+",", ","+p.name+",") {
			continue
		}
		if !p.fold && !running {
			if err := b.setUp(ctx); err != nil {
				return err
			}
			running = true
		}
		fmt.Printf("\n== %s (load average %s)\n", p.name, containers.LoadAverage())
		if err := p.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	b.report(time.Since(began))
	return nil
}

func (b *bench) setUp(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "mainstay-bench-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	b.closers = append(b.closers, func() error { return os.RemoveAll(dir) })
	b.scratch = dir
	if b.profiles != "" {
		if err := os.MkdirAll(b.profiles, 0o750); err != nil {
			return fmt.Errorf("--profiles: %w", err)
		}
		b.scratch = b.profiles
	}
	path := b.binary
	if path == "" {
		if path, err = containers.Build(ctx, dir); err != nil {
			return err
		}
	} else if path, err = filepath.Abs(path); err != nil {
		return fmt.Errorf("--mainstay: %w", err)
	}
	if b.kafka == "" {
		server, err := containers.StartKafka(ctx)
		if err != nil {
			return err
		}
		b.closers = append(b.closers, server.Close)
		b.kafka = server.Address
	}
	if b.redis == "" {
		server, err := containers.StartRedis(ctx)
		if err != nil {
			return err
		}
		b.closers = append(b.closers, server.Close)
		b.redis = server.Address
	}
	settings := map[string]string{
		"KAFKA_BROKERS": b.kafka, "REDIS_ADDRESSES": b.redis, "MONEY_CURRENCY": "EUR", "LOG_LEVEL": "info",
	}
	if b.compression != "" {
		settings["KAFKA_COMPRESSION"] = b.compression
	}
	b.program = containers.Program{Path: path, Settings: settings}
	return nil
}

// addFigure prints a figure, and keeps it for the report.
func (b *bench) addFigure(name, value, goal string, met bool) {
	b.figures = append(b.figures, figure{name, value, goal, met})
	fmt.Printf("%-84s %s\n", name, value)
}

func (b *bench) report(took time.Duration) {
	fmt.Printf("\n== summary (load average %s, took %s)\n", containers.LoadAverage(), took.Round(time.Second))
	fmt.Printf("machine: %s\ncommand: %s\n", containers.Machine(), strings.Join(os.Args, " "))
	for _, f := range b.figures {
		verdict := ""
		switch {
		case f.goal == "":
		case f.met:
			verdict = "goal " + f.goal
		default:
			verdict = "MISSED, goal " + f.goal
		}
		fmt.Printf("%-84s %-22s %s\n", f.name, f.value, verdict)
	}
	fmt.Print(`not measured: the CPU time of Kafka, Redis and this process, which share the machine with mainstay; replication (one broker);
TLS and authentication; slow or full disks; kinds of events other than purchases.
`)
}
