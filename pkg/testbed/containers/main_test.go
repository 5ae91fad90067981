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

// What all tests of the package share.
var (
	broker  *Server
	store   *Redis
	program Program
)

// TestMain starts the servers and builds the program once. However the tests end, also by a signal or because their time is
// over, no container and no process is
// left behind.
func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "mainstay-real-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var once sync.Once
	leave := func(code int) {
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
		leave(1)
	}()
	if f := flag.Lookup("test.timeout"); f != nil {
		if limit, err := time.ParseDuration(f.Value.String()); err == nil && limit > time.Minute {
			time.AfterFunc(limit-20*time.Second, func() { // the testing package would panic, and leave everything
				fmt.Fprintln(os.Stderr, "the tests' time is over")
				leave(1)
			})
		}
	}
	if err := setUp(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		leave(1)
	}
	leave(m.Run())
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
