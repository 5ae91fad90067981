// Package kafka owns all access to Kafka: fetching, producing, transactions, offsets, group membership and topics. It follows the
// Kafka protocol guide (https://kafka.apache.org/protocol) and uses its terms; a number in a comment is an error code of that guide
// unless a unit says otherwise.
//
// It owns what the protocol requires and kafka-go does not offer: idempotent and transactional producing with its own record
// batches (KIP-98), read-committed fetching without control records and aborted records, cached leaders and coordinators, and a
// classification of errors by what the caller must do: ErrFenced (another owner has taken over), ErrReopen (the outcome is
// unknown; open again), ErrOutOfRange (the offset does not exist) and Retriable (the infrastructure failed; try again).
//
// It refuses to interpret the bytes of records, to log, to repeat a request that might duplicate or lose records, and to skip
// records silently.
//
// # Reading order
//
//	config.go, client.go   a client, and send, through which every request passes
//	session.go, sasl.go   connections: encryption, authentication, and renewing it
//	metadata.go, coordinator.go   leaders of partitions, coordinators of groups and transactional ids
//	batch.go, recordset.go  encoding and decoding of record batches
//	fetch.go, read.go      the fetcher of many partitions; reads of single records and ranges
//	produce.go, producer.go, transactional.go   idempotent producing (intake) and transactional producing (fold)
//	offsets.go, group.go, admin.go   committed offsets, membership, topics
//
// # Why not kafka-go's Reader, Writer and Client
//
// Reader returns control records and aborted records, and silently continues after records that retention deleted. Writer is never
// idempotent. Client looks up the coordinator before every transactional request and ignores the error of that lookup. This package
// therefore uses only kafka-go's Transport (pooling of connections, routing), its message codecs and its ConsumerGroup.
package kafka
