package redis_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
)

// Claim a partition, commit the state of two customers, and read it back. A second claim ends the first.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server, err := embedded.Start(ctx, embedded.Options{Redis: true}) // Redis inside this process
	if err != nil {
		panic(err)
	}
	defer server.Close()
	client, err := redis.New(redis.Config{Addresses: []string{server.RedisAddress()}, Dialer: server.DialRedis, Embedded: true})
	if err != nil {
		panic(err)
	}
	defer func() { _ = client.Close() }()

	owner := client.Partition("mainstay", 0, 8) // partition 0 of 8
	meta, err := owner.Claim(ctx, "random-token-1")
	if err != nil {
		panic(err)
	}
	fmt.Println("a snapshot exists:", meta.Exists)
	if err := owner.BeginSnapshot(ctx, "ledger-1", "random-snapshot", "random-commit-0", 1_000); err != nil {
		panic(err)
	}
	err = owner.Commit(ctx, redis.Commit{
		Offset: 42, CommitID: "random-commit-1", UpdatedAt: 2_000, State: []byte("state of the partition"),
		Customers: []redis.Blob{{ID: "anna", Value: []byte("one order")}, {ID: "ben", Value: []byte("two orders")}},
		Timers:    []redis.Timer{{ID: "anna", Deadline: 5_000}, {ID: "ben"}},
	})
	if err != nil {
		panic(err) // after ErrUnavailable: repeat exactly this commit, or claim again
	}

	blobs, err := owner.LoadCustomers(ctx, []string{"anna", "carla"})
	if err != nil {
		panic(err)
	}
	fmt.Printf("anna: %s; carla is unknown: %v\n", blobs[0], blobs[1] == nil)
	due, err := owner.DueTimers(ctx, 6_000, 10)
	if err != nil {
		panic(err)
	}
	fmt.Println("due:", due)

	other := client.Partition("mainstay", 0, 8)
	if meta, err = other.Claim(ctx, "random-token-2"); err != nil {
		panic(err)
	}
	fmt.Printf("the second owner continues at ledger offset %d with the %s\n", meta.Offset, meta.State)
	_, err = owner.LoadCustomers(ctx, []string{"anna"})
	fmt.Println("the first owner has lost its claim:", errors.Is(err, redis.ErrClaimLost))

	// Output:
	// a snapshot exists: false
	// anna: one order; carla is unknown: true
	// due: [{anna 5000}]
	// the second owner continues at ledger offset 42 with the state of the partition
	// the first owner has lost its claim: true
}
