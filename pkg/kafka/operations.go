package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/segmentio/kafka-go/protocol/describegroups"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// Operation is an operation on a resource that a principal may be allowed, by its number in the protocol guide (AclOperation).
type Operation int

// The operations. Read and Write include Describe; Create does not.
const (
	OperationRead            Operation = 3
	OperationWrite           Operation = 4
	OperationCreate          Operation = 5
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
	case OperationCreate:
		return "Create"
	case OperationDescribe:
		return "Describe"
	case OperationDescribeConfigs:
		return "DescribeConfigs"
	default:
		return fmt.Sprintf("operation %d", int(o))
	}
}

// Operations is the set of operations that the principal of a client is allowed on a resource.
type Operations int32

// Allows reports whether the operation is in the set.
func (o Operations) Allows(op Operation) bool { return o&(1<<op) != 0 }

const untoldOperations = math.MinInt32 // the answer of a broker that does not tell

// AuthorizedOperations returns what this client's principal may do with each topic (KIP-430), without doing it. A topic that does not
// exist, or whose operations the brokers do not tell (before Kafka 2.3), is missing. A broker without an authorizer allows everything.
func (c *Client) AuthorizedOperations(ctx context.Context, topics []string) (map[string]Operations, error) {
	res, err := request[*metadata.Response](ctx, c, Call{API: "Metadata"}, anyBroker, &metadata.Request{TopicNames: topics, IncludeTopicAuthorizedOperations: true})
	if err != nil {
		return nil, fmt.Errorf("read the authorized operations: %w", err)
	}
	all := make(map[string]Operations, len(topics))
	for _, t := range res.Topics {
		switch {
		case Code(t.ErrorCode) == CodeTopicAuthorizationFailed:
			all[t.Name] = 0 // not even Describe
		case t.ErrorCode == 0 && t.TopicAuthorizedOperations != 0 && t.TopicAuthorizedOperations != untoldOperations:
			all[t.Name] = Operations(t.TopicAuthorizedOperations)
		}
	}
	return all, nil
}

// AuthorizedGroupOperations returns what this client's principal may do with a consumer group, whether it exists or not; nothing if it may
// not even describe it. known is false where the brokers do not say. Retriable errors are retried until the context ends.
func (c *Client) AuthorizedGroupOperations(ctx context.Context, group string) (o Operations, known bool, err error) {
	err = c.withGroupCoordinator(ctx, group, func(broker int32) error {
		res, err := request[*describegroups.Response](ctx, c, Call{API: "DescribeGroups", Group: group}, broker,
			&describegroups.Request{Groups: []string{group}, IncludeAuthorizedOperations: true})
		switch {
		case err != nil:
			return err
		case len(res.Groups) != 1:
			return &transportError{errShortResponse}
		}
		g := res.Groups[0]
		if g.ErrorCode != 0 && Code(g.ErrorCode) != codeGroupIDNotFound {
			return apiError("DescribeGroups", g.ErrorCode)
		}
		o, known = Operations(g.AuthorizedOperations), g.AuthorizedOperations != untoldOperations
		return nil
	})
	if errors.Is(err, CodeGroupAuthorizationFailed) {
		return 0, true, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read the authorized operations on group %s: %w", group, err)
	}
	return o, known, nil
}
