// Package containers owns real servers and processes for tests and the benchmark: Kafka and Redis in containers, which can be
// killed and started again under the same address, and the built program as a process that can be killed. Its own tests (build
// tag real) check the delivery guarantee on them: start reading at kills_test.go.
//
// It refuses to look inside Mainstay: it uses the program's commands, its topics and its log.
package containers
