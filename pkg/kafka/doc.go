// Package kafka is the only door to Kafka: fetching, producing, transactions, offsets, groups and topics, in the words of
// the Kafka protocol guide (https://kafka.apache.org/protocol).
//
// It owns what the protocol demands and kafka-go leaves open: idempotent and transactional producing with its own record
// batches (KIP-98), read-committed fetching with aborted transactions and markers filtered out, remembered leaders and
// coordinators, and the sorting of errors into "somebody else owns this" (ErrFenced), "the outcome is open, start again"
// (ErrReopen), "that data is not there" (ErrOutOfRange) and infrastructure trouble (Retriable).
//
// It refuses to know what the bytes mean, to log, to retry what might double or lose something, and to skip anything
// silently.
//
// # Reading order
//
//	config.go, client.go   a client, and the one function through which every request leaves (send)
//	metadata.go, coordinator.go   who leads a partition, who coordinates a group or a transactional id
//	batch.go, recordset.go  record batches, written and read
//	fetch.go, read.go      reading: the fetcher of many partitions, and single records or whole ranges
//	produce.go, producer.go, transactional.go   writing: idempotent (intake) and transactional (fold)
//	offsets.go, group.go, admin.go   positions, membership, topics
//
// # Why not kafka-go's Reader, Writer and Client
//
// Reader hands out markers and aborted records and skips what retention deleted; Writer is never idempotent; Client asks
// for the coordinator before every transactional call and ignores the error of that question. So this package uses
// kafka-go's Transport (connections, routing, TLS, SASL), its message codecs and its ConsumerGroup, and nothing else.
package kafka
