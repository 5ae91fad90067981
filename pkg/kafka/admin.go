package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/segmentio/kafka-go/protocol/deletetopics"
	"github.com/segmentio/kafka-go/protocol/describeconfigs"
	"github.com/segmentio/kafka-go/protocol/describegroups"
)

// Topic is the metadata of a topic.
type Topic struct {
	Name    string
	Exists  bool
	Leaders []int32 // broker id by partition, -1 without a leader; the length is the partition count
	// Replicas is the replication factor, the least of all partitions.
	Replicas int
}

// TopicSpec describes a topic to create. Replicas 0 means the broker's default replication factor.
type TopicSpec struct {
	Name       string
	Partitions int32
	Replicas   int16
	Configs    map[string]string
}

// Ping requests the API versions from any broker. It succeeds if a broker is reachable with the configured TLS and SASL.
func (c *Client) Ping(ctx context.Context) error {
	res, err := request[*apiversions.Response](ctx, c, Call{API: "ApiVersions"}, anyBroker, &apiversions.Request{})
	if err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	return apiError("ApiVersions", res.ErrorCode)
}

// Topics returns the metadata of topics, in the order of names. It never uses the cache; a missing topic is not an error.
func (c *Client) Topics(ctx context.Context, names []string) ([]Topic, error) {
	res, err := c.fetchMetadata(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("look up topics: %w", err)
	}
	all := make([]Topic, 0, len(names))
	for _, name := range names {
		t := Topic{Name: name}
		for _, r := range res.Topics {
			if r.Name != name {
				continue
			}
			err := codeError(r.ErrorCode)
			if err != nil && !errors.Is(err, ErrUnknownTopic) && !errors.Is(err, CodeLeaderNotAvailable) {
				return nil, fmt.Errorf("look up topic %s: %w", name, err)
			}
			t.Exists = !errors.Is(err, ErrUnknownTopic)
			t.Leaders = make([]int32, len(r.Partitions))
			for i, p := range r.Partitions {
				if n := len(p.ReplicaNodes); i == 0 || n < t.Replicas {
					t.Replicas = n
				}
				if int(p.PartitionIndex) < len(t.Leaders) {
					t.Leaders[p.PartitionIndex] = p.LeaderID
				}
			}
		}
		all = append(all, t)
	}
	return all, nil
}

// CreateTopics creates the topics that do not exist and waits until every partition has a leader that accepts requests (a new leader
// briefly answers with 6, which would break a transaction). An existing topic is not changed, whatever its configuration. Retriable
// errors are retried until the context ends.
func (c *Client) CreateTopics(ctx context.Context, specs []TopicSpec) error {
	req := &createtopics.Request{TimeoutMs: int32(c.cfg.Timeout / time.Millisecond)}
	names := make([]string, 0, len(specs))
	for _, s := range specs {
		names = append(names, s.Name)
		t := createtopics.RequestTopic{Name: s.Name, NumPartitions: s.Partitions, ReplicationFactor: s.Replicas}
		if s.Replicas == 0 {
			t.ReplicationFactor = -1
		}
		for k, v := range s.Configs {
			t.Configs = append(t.Configs, createtopics.RequestConfig{Name: k, Value: v})
		}
		req.Topics = append(req.Topics, t)
	}
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		err := c.createOnce(ctx, req)
		if err == nil {
			err = c.haveLeaders(ctx, names)
		}
		if err == nil || !Retriable(err) {
			return err
		}
		if ended := pause(ctx, wait); ended != nil {
			return fmt.Errorf("%w: %w", ended, err)
		}
	}
}

func (c *Client) createOnce(ctx context.Context, req *createtopics.Request) error {
	controller, err := c.controller(ctx)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	res, err := request[*createtopics.Response](ctx, c, Call{API: "CreateTopics"}, controller, req)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for _, t := range res.Topics {
		if code := Code(t.ErrorCode); code != 0 && code != CodeTopicAlreadyExists {
			return fmt.Errorf("create topic %s: %w %s", t.Name, code, t.ErrorMessage)
		}
	}
	return nil
}

// controller returns the broker that creates topics. With KRaft every broker forwards the request; with ZooKeeper it answers with 41.
func (c *Client) controller(ctx context.Context) (int32, error) {
	res, err := c.fetchMetadata(ctx, nil)
	if err != nil {
		return 0, err
	}
	return res.ControllerID, nil
}

func (c *Client) haveLeaders(ctx context.Context, names []string) error {
	all, err := c.Topics(ctx, names)
	if err != nil {
		return err
	}
	for _, t := range all {
		if !t.Exists || slices.Contains(t.Leaders, -1) {
			return fmt.Errorf("topic %s: %w", t.Name, CodeLeaderNotAvailable)
		}
		partitions := make([]int32, len(t.Leaders))
		for i := range partitions {
			partitions[i] = int32(i)
		}
		if _, err := c.ListOffsets(ctx, t.Name, partitions); err != nil {
			return err
		}
	}
	return nil
}

// DeleteTopics deletes topics. A topic that does not exist is not an error.
func (c *Client) DeleteTopics(ctx context.Context, names []string) error {
	controller, err := c.controller(ctx)
	if err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	res, err := request[*deletetopics.Response](ctx, c, Call{API: "DeleteTopics"}, controller,
		&deletetopics.Request{TopicNames: names, TimeoutMs: int32(c.cfg.Timeout / time.Millisecond)})
	if err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	for _, t := range res.Responses {
		c.invalidateLeader(t.Name)
		if code := Code(t.ErrorCode); code != 0 && code != CodeUnknownTopicOrPartition {
			return fmt.Errorf("delete topic %s: %w", t.Name, code)
		}
	}
	return nil
}

// TopicConfigs returns the effective configuration of each topic (retention.ms, cleanup.policy, message.timestamp.type and so on, including
// defaults), by topic name.
func (c *Client) TopicConfigs(ctx context.Context, names []string) (map[string]map[string]string, error) {
	const ofTopic int8 = 2
	req := &describeconfigs.Request{}
	for _, name := range names {
		req.Resources = append(req.Resources, describeconfigs.RequestResource{ResourceType: ofTopic, ResourceName: name})
	}
	res, err := request[*describeconfigs.Response](ctx, c, Call{API: "DescribeConfigs"}, anyBroker, req)
	if err != nil {
		return nil, fmt.Errorf("read topic configurations: %w", err)
	}
	all := make(map[string]map[string]string, len(names))
	for _, r := range res.Resources {
		if r.ErrorCode != 0 {
			return nil, fmt.Errorf("read configuration of topic %s: %w", r.ResourceName, Code(r.ErrorCode))
		}
		m := make(map[string]string, len(r.ConfigEntries))
		for _, e := range r.ConfigEntries {
			m[e.ConfigName] = e.ConfigValue
		}
		all[r.ResourceName] = m
	}
	return all, nil
}

// Member is a member of a consumer group.
type Member struct {
	ID, ClientID, Host string
	Assignments        map[string][]int32
}

// GroupMembers returns the members of a group (classic protocol) with their assignments, and the state of the group ("Stable", "Empty",
// "Dead", ...). Retriable errors are retried until the context ends.
func (c *Client) GroupMembers(ctx context.Context, group string) (members []Member, state string, err error) {
	err = c.withGroupCoordinator(ctx, group, func(broker int32) error {
		res, err := request[*describegroups.Response](ctx, c, Call{API: "DescribeGroups", Group: group}, broker,
			&describegroups.Request{Groups: []string{group}})
		if err != nil {
			return err
		}
		if len(res.Groups) != 1 {
			return &transportError{errShortResponse}
		}
		g := res.Groups[0]
		if Code(g.ErrorCode) == codeGroupIDNotFound { // most brokers report state "Dead" instead
			state = "Dead"
			return nil
		}
		if g.ErrorCode != 0 {
			return apiError("DescribeGroups", g.ErrorCode)
		}
		state, members = g.GroupState, nil
		for _, m := range g.Members {
			members = append(members, Member{m.MemberID, m.ClientID, m.ClientHost, assignment(m.MemberAssignment)})
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("describe group %s: %w", group, err)
	}
	return members, state, nil
}

// assignment decodes a member's partitions (ConsumerProtocolAssignment: version, topics, user data).
func assignment(b []byte) map[string][]int32 {
	all := map[string][]int32{}
	r := responseReader{rest: b}
	r.next(2)
	for range r.count() {
		topic := string(r.str())
		for range r.count() {
			if p := r.i32(); !r.short {
				all[topic] = append(all[topic], p)
			}
		}
	}
	return all
}

// DeleteRecords deletes the records of a partition below an offset (KIP-107).
func (c *Client) DeleteRecords(ctx context.Context, topic string, partition int32, below int64) error {
	const key, version = protocol.ApiKey(21), 1
	err := c.withLeaders(ctx, topic, []int32{partition}, func(broker int32, _ []int32) error {
		m := &rawRequest{key: key, version: version, broker: broker, correlation: c.correlation.Add(1)}
		b := appendHeader(nil, key, version, m.correlation, c.cfg.ClientID)
		b = binary.BigEndian.AppendUint32(b, 1)
		b = appendString(b, topic)
		b = binary.BigEndian.AppendUint32(b, 1)
		b = binary.BigEndian.AppendUint32(b, uint32(partition))
		b = binary.BigEndian.AppendUint64(b, uint64(below))
		b = binary.BigEndian.AppendUint32(b, uint32(c.cfg.Timeout/time.Millisecond))
		binary.BigEndian.PutUint32(b, uint32(len(b)-4))
		m.pieces = [][]byte{b}
		if _, err := c.send(ctx, Call{API: "DeleteRecords", Topic: topic}, 0, m); err != nil {
			return err
		}
		r := responseReader{rest: m.response}
		r.next(8) // correlation id, throttle time
		if r.count() != 1 {
			return &transportError{errShortResponse}
		}
		r.str()
		if r.count() != 1 {
			return &transportError{errShortResponse}
		}
		r.next(4 + 8) // partition, new log start
		code := r.i16()
		if r.short {
			return &transportError{errShortResponse}
		}
		return apiError("DeleteRecords", code)
	})
	if err != nil {
		return fmt.Errorf("delete records of %s/%d: %w", topic, partition, err)
	}
	return nil
}
