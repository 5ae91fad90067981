//go:build real

package containers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Shared by all tests of the package.
var (
	broker  *Server
	store   *Redis
	program Program
)

// TestMain starts the servers and builds the program once. No container and no process remains, even if the
// tests are ended by a signal or by their time-out.
func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "mainstay-real-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var once sync.Once
	exit := func(code int) {
		once.Do(func() {
			KillAll()
			var err error
			if broker != nil {
				err = errors.Join(err, broker.Close())
			}
			if store != nil {
				err = errors.Join(err, store.Close())
			}
			if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
			os.Exit(code)
		})
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		exit(1)
	}()
	if f := flag.Lookup("test.timeout"); f != nil {
		if limit, err := time.ParseDuration(f.Value.String()); err == nil && limit > time.Minute {
			time.AfterFunc(limit-20*time.Second, func() { // the testing package would panic, without any cleanup
				fmt.Fprintln(os.Stderr, "the tests timed out")
				exit(1)
			})
		}
	}
	if err := setUp(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		exit(1)
	}
	exit(m.Run())
}

func setUp(ctx context.Context, dir string) error {
	path, err := Build(ctx, dir)
	if err != nil {
		return err
	}
	if broker, err = StartKafka(ctx); err != nil {
		return err
	}
	if store, err = StartRedis(ctx); err != nil {
		return err
	}
	program = Program{Path: path, Settings: map[string]string{
		"KAFKA_BROKERS": broker.Address, "REDIS_ADDRESSES": store.Address, "CLOCK": "event", "LEDGER_PARTITIONS": "4",
	}}
	return nil
}
