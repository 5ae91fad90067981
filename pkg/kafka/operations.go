package kafka

import (
	"context"
	"fmt"
	"math"

	"github.com/segmentio/kafka-go/protocol/metadata"
)

// Operation is an operation on a topic that a principal may be allowed, by its number in the protocol guide (AclOperation).
type Operation int

// The operations on topics.
const (
	OperationRead            Operation = 3
	OperationWrite           Operation = 4
	OperationDescribe        Operation = 8
	OperationDescribeConfigs Operation = 10
)

// String returns the name by which kafka-acls.sh knows the operation.
func (o Operation) String() string {
	switch o {
	case OperationRead:
		return "Read"
	case OperationWrite:
		return "Write"
	case OperationDescribe:
		return "Describe"
	case OperationDescribeConfigs:
		return "DescribeConfigs"
	default:
		return fmt.Sprintf("operation %d", int(o))
	}
}

// Operations is the set of operations that the principal of a client is allowed on a topic.
type Operations int32

// Allows reports whether the operation is in the set.
func (o Operations) Allows(op Operation) bool { return o&(1<<op) != 0 }

// AuthorizedOperations returns what this client's principal may do with each topic (KIP-430), without doing it. A topic that does not
// exist, or whose operations the brokers do not tell (before Kafka 2.3), is missing. A broker without an authorizer allows everything.
func (c *Client) AuthorizedOperations(ctx context.Context, topics []string) (map[string]Operations, error) {
	const untold = math.MinInt32
	res, err := request[*metadata.Response](ctx, c, Call{API: "Metadata"}, anyBroker, &metadata.Request{TopicNames: topics, IncludeTopicAuthorizedOperations: true})
	if err != nil {
		return nil, fmt.Errorf("read the authorized operations: %w", err)
	}
	all := make(map[string]Operations, len(topics))
	for _, t := range res.Topics {
		switch {
		case Code(t.ErrorCode) == CodeTopicAuthorizationFailed:
			all[t.Name] = 0 // not even Describe
		case t.ErrorCode == 0 && t.TopicAuthorizedOperations != 0 && t.TopicAuthorizedOperations != untold:
			all[t.Name] = Operations(t.TopicAuthorizedOperations)
		}
	}
	return all, nil
}
