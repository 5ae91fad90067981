package nemesis

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/testbed/containers"
)

// KafkaBrokers is three brokers with three replicas of every partition, beside one Redis.
func KafkaBrokers() Set {
	return Set{Name: "brokers", Start: func(ctx context.Context) (*Servers, error) {
		started, err := containers.StartBrokers(ctx)
		if err != nil {
			return nil, err
		}
		store, err := containers.StartRedis(ctx)
		if err != nil {
			return nil, errors.Join(err, started.Close()) //nolint:contextcheck // it also cleans up after ctx has ended
		}
		b := &brokers{started}
		return &Servers{
			Brokers: b.Addresses(), Redis: redis.Config{Addresses: []string{store.Address}, Mode: redis.ModeSingle}, Settings: map[string]string{"KAFKA_REPLICATION_FACTOR": "3"},
			Healed: b.Whole, brokers: b,
			Close: func() error { return errors.Join(store.Close(), b.Close()) }, //nolint:contextcheck // it also cleans up after ctx has ended
			Faults: []Fault{
				{Name: "Kafka: a broker is killed", Do: b.kill},
				{Name: "Kafka: a broker is paused until it is replaced", Do: b.pause},
				{Name: "Kafka: every leader moves", Do: b.moveLeaders},
				{Name: "Kafka: a broker is cut off from the others, not from clients", Do: b.cutOff},
				{Name: "Kafka: a broker is cut off and another one killed", Do: b.cutOffAndKill},
				{Name: "Kafka: the controller is killed", Do: b.killController},
			},
		}, nil
	}}
}

type brokers struct{ *containers.Brokers }

func (b *brokers) any(r *run) *containers.Broker {
	return b.Brokers.Brokers[r.rng.IntN(len(b.Brokers.Brokers))]
}

// next is another broker than n.
func (b *brokers) next(n *containers.Broker) *containers.Broker {
	return b.Brokers.Brokers[(slices.Index(b.Brokers.Brokers, n)+1)%len(b.Brokers.Brokers)]
}

// leadsNothing waits until the controller has given all leaders of a broker to others.
func (b *brokers) leadsNothing(ctx context.Context, n *containers.Broker) error {
	return until(ctx, healTimeout, "other brokers lead", func(ctx context.Context) (bool, error) {
		all, err := b.next(n).Partitions(ctx)
		return err == nil && !slices.ContainsFunc(all, func(p containers.PartitionState) bool { return p.Leader == n.ID }), err
	})
}

func (b *brokers) kill(ctx context.Context, r *run) error {
	n := b.any(r)
	if err := n.Kill(ctx); err != nil {
		return err
	}
	if err := b.leadsNothing(ctx, n); err != nil {
		return err
	}
	return n.Start(ctx)
}

func (b *brokers) pause(ctx context.Context, r *run) error {
	n := b.any(r)
	if err := n.Pause(ctx); err != nil {
		return err
	}
	return errors.Join(b.leadsNothing(ctx, n), n.Resume(ctx))
}

func (b *brokers) moveLeaders(ctx context.Context, _ *run) error { return b.MoveLeaders(ctx) }

// cutOff leaves a broker for three seconds after it was replaced to clients that still believe it to lead.
func (b *brokers) cutOff(ctx context.Context, r *run) error {
	n := b.any(r)
	if err := n.CutOff(ctx); err != nil {
		return err
	}
	return errors.Join(b.leadsNothing(ctx, n), sleep(ctx, 3*time.Second), n.Reconnect(ctx))
}

// cutOffAndKill leaves one broker, which alone may acknowledge nothing.
func (b *brokers) cutOffAndKill(ctx context.Context, r *run) error {
	n := b.any(r)
	other := b.next(n)
	if err := n.CutOff(ctx); err != nil {
		return err
	}
	err := b.leadsNothing(ctx, n)
	err = errors.Join(err, other.Kill(ctx), sleep(ctx, 3*time.Second), n.Reconnect(ctx))
	return errors.Join(err, other.Start(ctx))
}

func (b *brokers) killController(ctx context.Context, _ *run) error {
	if err := b.Controller.Kill(ctx); err != nil {
		return err
	}
	return errors.Join(sleep(ctx, 3*time.Second), b.Controller.Start(ctx))
}
