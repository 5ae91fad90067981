// Package access owns the permissions that Mainstay needs of Kafka and Redis: one table, from which the commands that grant them are
// printed and by which they are checked.
//
// It refuses to grant anything itself, and to ask for more than is used: a test on real servers takes each permission away.
package access

import (
	"slices"

	"github.com/mainstay/mainstay/pkg/edge/deliver"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/node/process"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/stream/topics"
)

// User is a principal, by what it does.
type User string

// The users. They may be one principal, which then needs what both need.
const (
	Process  User = "process"  // mainstay run, check, status, audit, customer, alerts, export
	Operator User = "operator" // topics apply, send, import, simulate, tail, dlq, refit, advance, customer forget, costs set, topics recreated
)

// Users returns all users.
func Users() []User { return []User{Process, Operator} }

// Resource is the kind of a resource of Kafka, as the flags of kafka-acls.sh name it.
type Resource string

// The resources.
const (
	Topic           Resource = "topic"
	Group           Resource = "group"
	TransactionalID Resource = "transactional-id"
)

// Permission is what a user may do with one resource.
type Permission struct {
	Resource   Resource
	Name       string
	Prefixed   bool // every resource whose name begins with Name
	Operations []kafka.Operation
}

// Read, Write and Describe of the table below. Read and Write include Describe.
const (
	read     = kafka.OperationRead
	write    = kafka.OperationWrite
	create   = kafka.OperationCreate
	describe = kafka.OperationDescribe
	configs  = kafka.OperationDescribeConfigs
)

// ofTopics is what each user does with topics, by their kind.
func ofTopics(user User, kind topics.Kind) []kafka.Operation {
	return map[User]map[topics.Kind][]kafka.Operation{
		Process: {
			topics.Input:      {read, configs},
			topics.DeadLetter: {write, configs},
			topics.Ledger:     {read, write, configs},
			topics.Output:     {read, write, configs}, // read: what was published last, by which a claim continues
			topics.Imported:   {describe, configs},
			topics.Control:    {read, configs},
			topics.Replays:    {read, configs},
		},
		Operator: {
			topics.Input:      {read, write, create, configs},
			topics.DeadLetter: {read, create, configs},
			topics.Ledger:     {read, write, create, configs},
			topics.Output:     {read, create, configs},
			topics.Imported:   {read, write, create, configs},
			topics.Control:    {read, write, create, configs},
			topics.Replays:    {read, write, create, configs},
		},
	}[user][kind]
}

// Kafka returns the permissions that a user needs under a configuration.
func Kafka(c config.Config, user User) []Permission {
	var all []Permission
	sends := user == Process && slices.Contains(c.Roles, process.Ingest)
	for _, t := range app.Topics(c).All() {
		operations := ofTopics(user, t.Kind)
		if sends && t.Kind == topics.Input {
			operations = append(operations, write)
		}
		all = append(all, Permission{Resource: Topic, Name: t.Name, Operations: operations})
	}
	// A process is a member of both groups. An operator reads what they have committed; topics recreated commits for the intakes.
	ofFold := read
	if user == Operator {
		ofFold = describe
	}
	for _, d := range c.Deliver.Destinations {
		all = append(all, Permission{Resource: Group, Name: deliver.Group(c.Namespace, d.Name), Operations: []kafka.Operation{ofFold}})
	}
	return append(all,
		Permission{Resource: Group, Name: intake.Group(c.Namespace), Operations: []kafka.Operation{read}},
		Permission{Resource: Group, Name: fold.Group(c.Namespace), Operations: []kafka.Operation{ofFold}},
		Permission{Resource: TransactionalID, Name: c.Namespace + "-", Prefixed: true, Operations: []kafka.Operation{write}},
	)
}
