package kafka_test

import (
	"context"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
)

// start runs Kafka inside this process, with two topics of one partition, and returns a client of it.
func start(ctx context.Context) (client *kafka.Client, stop func(), err error) {
	server, err := embedded.Start(ctx, embedded.Options{Kafka: true})
	if err != nil {
		return nil, nil, err
	}
	client, err = kafka.New(kafka.Config{Brokers: []string{server.KafkaAddress()}, Dial: server.DialKafka})
	if err != nil {
		server.Close()
		return nil, nil, err
	}
	stop = func() {
		client.Close()
		server.Close()
	}
	if err := client.CreateTopics(ctx, []kafka.TopicSpec{{Name: "orders", Partitions: 1}, {Name: "answers", Partitions: 1}}); err != nil {
		stop()
		return nil, nil, err
	}
	return client, stop, nil
}

// Append a batch of records to a partition, and read it back.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop, err := start(ctx)
	if err != nil {
		panic(err)
	}
	defer stop()

	producer, err := client.NewProducer(ctx)
	if err != nil {
		panic(err)
	}
	batch := kafka.NewBatch("orders", 0)
	headers := kafka.EncodeHeaders(nil, []kafka.Header{{Key: "source", Value: []byte("shop")}})
	batch.Append(time.Now().UnixMilli(), []byte("order-1"), []byte("49.90 EUR"), headers)
	batch.Append(time.Now().UnixMilli(), []byte("order-2"), []byte("12.50 EUR"), headers)
	acks, err := producer.Produce(ctx, []*kafka.Batch{batch})
	if err != nil {
		panic(err) // after ErrReopen: a new producer, and start again from the last committed position
	}
	fmt.Println("appended at offset", acks[0].BaseOffset)

	next, err := client.ReadCommitted(ctx, "orders", 0, 0, 2, func(r kafka.Record) error {
		source, _ := r.Header("source")
		fmt.Printf("%d: %s = %s, from %s\n", r.Offset, r.Key, r.Value, source)
		return nil
	})
	if err != nil {
		panic(err)
	}
	fmt.Println("continue at offset", next)

	// Output:
	// appended at offset 0
	// 0: order-1 = 49.90 EUR, from shop
	// 1: order-2 = 12.50 EUR, from shop
	// continue at offset 2
}

// Publish records together with the offset up to which their input was read, in one transaction.
func ExampleTransactional() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop, err := start(ctx)
	if err != nil {
		panic(err)
	}
	defer stop()

	// Opening fences the former owner of the id, so the committed offset that is read afterwards cannot change any more.
	owner, err := client.OpenTransactional(ctx, "partition-0", 10*time.Second)
	if err != nil {
		panic(err)
	}
	offset, _, err := client.CommittedOffset(ctx, "readers", "orders", 0)
	if err != nil {
		panic(err)
	}
	fmt.Println("committed before:", offset)

	batch := kafka.NewBatch("answers", 0)
	batch.Append(time.Now().UnixMilli(), []byte("customer-1"), []byte("active"), nil)
	err = owner.Publish(ctx, kafka.Transaction{
		Batches: []*kafka.Batch{batch}, Group: "readers", Topic: "orders", Partition: 0, Offset: 2,
	})
	if err != nil {
		panic(err) // ErrFenced: stop; ErrReopen: open again and read the committed offset
	}

	if _, err := client.OpenTransactional(ctx, "partition-0", 10*time.Second); err != nil { // another owner
		panic(err)
	}
	if offset, _, err = client.CommittedOffset(ctx, "readers", "orders", 0); err != nil {
		panic(err)
	}
	fmt.Println("committed after:", offset)
	last, ok, err := client.ReadLast(ctx, "answers", 0)
	if err != nil {
		panic(err)
	}
	fmt.Printf("published: %s %s %v\n", last.Key, last.Value, ok)

	// Output:
	// committed before: -1
	// committed after: 2
	// published: customer-1 active true
}
