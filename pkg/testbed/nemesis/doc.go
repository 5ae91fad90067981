// Package nemesis owns the faults that real servers suffer while real mainstay processes work: a Redis Cluster of six nodes, a master
// under three sentinels, and three Kafka brokers with three replicas of everything. A run injects faults one after the other, in an
// order that a seed decides, under the load of a simulated shop. After each fault the servers are healed, and everything that was in
// the inputs by then must be processed and committed. At the end an audit and an independent recount of what was sent must find
// nothing lost, doubled or differing.
//
// Start reading at run.go. cluster.go, sentinels.go and brokers.go name the faults of each set of servers; unclean.go is the one fault
// after which records are gone, which Mainstay must notice; soak.go is a long run in which processes are killed and rebalanced.
//
// It refuses to look inside the processes: it uses the program's commands, topics, log and state in Redis.
package nemesis
