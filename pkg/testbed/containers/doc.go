// Package containers owns the real parts that tests and the benchmark run on: Kafka and Redis in containers that can be killed and
// started again under the same address, and the built program as a process that can be killed. Its tests (build tag real)
// are the proof of the guarantee on them: kills_test.go is where to start reading.
//
// It refuses to look inside: what it knows of Mainstay it has from the program's commands, its topics and its log.
package containers
