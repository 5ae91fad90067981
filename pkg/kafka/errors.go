package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"

	"github.com/segmentio/kafka-go"
)

// What callers have to tell apart, with errors.Is.
var (
	// ErrFenced: another owner has taken the transactional id (90, 47) or the group has moved on (22, 25; and 27 on an
	// explicit heartbeat or commit). Stop; do not reopen.
	ErrFenced = errors.New("fenced: another owner has taken over")
	// ErrReopen: the outcome is unknown or the transaction is broken. Open again, read the committed offset, redo from there.
	ErrReopen = errors.New("outcome unknown: must be opened again")
	// ErrOutOfRange: the offset lies below the log's start or beyond its end. *OutOfRangeError carries the details.
	ErrOutOfRange = errors.New("offset out of range")
	// ErrUnknownTopic: no such topic or partition.
	ErrUnknownTopic = errors.New("unknown topic or partition")
	// ErrAuthorization: the broker does not let us, or does not believe us.
	ErrAuthorization = errors.New("not authorized")
	// ErrCorrupt: bytes that are no record batch, or whose CRC is wrong.
	ErrCorrupt = errors.New("corrupt record batch")
	// ErrClosed: the client, group or producer is closed.
	ErrClosed = errors.New("closed")
	// ErrGenerationEnded is the cause of a generation's ended context.
	ErrGenerationEnded = errors.New("generation has ended")
)

// Code is an error code of the Kafka protocol (https://kafka.apache.org/protocol#protocol_error_codes).
type Code int16

// Codes that this package acts on, by their names in the protocol guide.
const (
	CodeUnknownServerError           Code = -1
	CodeOffsetOutOfRange             Code = 1
	CodeCorruptMessage               Code = 2
	CodeUnknownTopicOrPartition      Code = 3
	CodeLeaderNotAvailable           Code = 5
	CodeNotLeaderOrFollower          Code = 6
	CodeRequestTimedOut              Code = 7
	CodeBrokerNotAvailable           Code = 8
	CodeReplicaNotAvailable          Code = 9
	CodeNetworkException             Code = 13
	CodeCoordinatorLoadInProgress    Code = 14
	CodeCoordinatorNotAvailable      Code = 15
	CodeNotCoordinator               Code = 16
	CodeNotEnoughReplicas            Code = 19
	CodeNotEnoughReplicasAfterAppend Code = 20
	CodeIllegalGeneration            Code = 22
	CodeUnknownMemberID              Code = 25
	CodeRebalanceInProgress          Code = 27
	CodeTopicAuthorizationFailed     Code = 29
	CodeGroupAuthorizationFailed     Code = 30
	CodeClusterAuthorizationFailed   Code = 31
	CodeTopicAlreadyExists           Code = 36
	CodeNotController                Code = 41
	CodeInvalidProducerEpoch         Code = 47
	CodeInvalidTxnState              Code = 48
	CodeInvalidProducerIDMapping     Code = 49
	CodeConcurrentTransactions       Code = 51
	CodeTransactionalIDAuthFailed    Code = 53
	CodeOperationNotAttempted        Code = 55
	CodeStorageError                 Code = 56
	CodeSASLAuthenticationFailed     Code = 58
	codeGroupIDNotFound              Code = 69
	CodeFencedLeaderEpoch            Code = 74
	CodeUnknownLeaderEpoch           Code = 75
	CodeOffsetNotAvailable           Code = 78
	CodeProducerFenced               Code = 90
)

// Error names the code and gives its number.
func (c Code) Error() string {
	name := c.name()
	if name == "" {
		name = kafka.Error(c).Title()
	}
	if name == "" {
		name = "kafka error"
	}
	return name + " (" + strconv.Itoa(int(c)) + ")"
}

// name is for what the errors of kafka-go name wrongly (55) or not at all; "" for the others.
func (c Code) name() string {
	switch c {
	case CodeUnknownServerError:
		return "unknown server error"
	case CodeOffsetOutOfRange:
		return "offset out of range"
	case CodeUnknownTopicOrPartition:
		return "unknown topic or partition"
	case CodeNotLeaderOrFollower:
		return "not leader or follower"
	case CodeCoordinatorLoadInProgress:
		return "coordinator load in progress"
	case CodeCoordinatorNotAvailable:
		return "coordinator not available"
	case CodeNotCoordinator:
		return "not coordinator"
	case CodeInvalidProducerEpoch:
		return "invalid producer epoch"
	case CodeInvalidTxnState:
		return "invalid transaction state"
	case CodeInvalidProducerIDMapping:
		return "invalid producer id mapping"
	case CodeConcurrentTransactions:
		return "concurrent transactions"
	case CodeOperationNotAttempted:
		return "operation not attempted"
	case CodeStorageError:
		return "storage error"
	case CodeFencedLeaderEpoch:
		return "fenced leader epoch"
	case CodeUnknownLeaderEpoch:
		return "unknown leader epoch"
	case CodeOffsetNotAvailable:
		return "offset not available"
	case CodeProducerFenced:
		return "producer fenced"
	case 120:
		return "transaction abortable"
	case 87:
		return "invalid record"
	default:
		return ""
	}
}

// Is makes codes match the sorts of error above.
func (c Code) Is(target error) bool {
	switch c {
	case CodeProducerFenced, CodeInvalidProducerEpoch, CodeIllegalGeneration, CodeUnknownMemberID:
		return target == ErrFenced
	case CodeOffsetOutOfRange:
		return target == ErrOutOfRange
	case CodeUnknownTopicOrPartition:
		return target == ErrUnknownTopic
	case CodeTopicAuthorizationFailed, CodeGroupAuthorizationFailed, CodeClusterAuthorizationFailed,
		CodeTransactionalIDAuthFailed, CodeSASLAuthenticationFailed:
		return target == ErrAuthorization
	case CodeCorruptMessage:
		return target == ErrCorrupt
	default:
		return false
	}
}

// OutOfRangeError says which offset was asked for and, where the broker told, what there is.
type OutOfRangeError struct {
	Topic     string
	Partition int32
	Offset    int64 // asked for
	LogStart  int64 // -1 unknown
}

// Error names the partition and the offsets.
func (e *OutOfRangeError) Error() string {
	return fmt.Sprintf("fetch %s/%d at %d: %v (log start %d)", e.Topic, e.Partition, e.Offset, ErrOutOfRange, e.LogStart)
}

// Is matches ErrOutOfRange.
func (e *OutOfRangeError) Is(target error) bool { return target == ErrOutOfRange }

// Retriable says that the infrastructure was in trouble (no connection, no answer, a leader or coordinator on the move)
// and the same question may be answered later. It says nothing about whether a write has happened: see ErrReopen.
// A context that the caller ended is not retriable.
func Retriable(err error) bool {
	if err == nil || errors.Is(err, ErrFenced) || errors.Is(err, ErrClosed) || errors.Is(err, ErrAuthorization) {
		return false
	}
	if c, ok := errors.AsType[Code](err); ok {
		return c.retriable()
	}
	_, ok := errors.AsType[*transportError](err)
	return ok
}

func (c Code) retriable() bool {
	switch c {
	case CodeUnknownServerError, CodeLeaderNotAvailable, CodeNotLeaderOrFollower, CodeRequestTimedOut, CodeBrokerNotAvailable,
		CodeReplicaNotAvailable, CodeNetworkException, CodeCoordinatorLoadInProgress, CodeCoordinatorNotAvailable,
		CodeNotCoordinator, CodeNotEnoughReplicas, CodeNotEnoughReplicasAfterAppend, CodeRebalanceInProgress, CodeNotController,
		CodeConcurrentTransactions, CodeStorageError, CodeFencedLeaderEpoch, CodeUnknownLeaderEpoch, CodeOffsetNotAvailable:
		return true
	default:
		return false
	}
}

// busy says that a coordinator is loading (14), not known yet (15), elsewhere (16), or still writing the last
// transaction's markers (51). The request had no effect and may be repeated as it is.
func busy(err error) bool {
	var c Code
	return errors.As(err, &c) && (c == CodeConcurrentTransactions || c.moved())
}

func (c Code) moved() bool {
	return c == CodeCoordinatorLoadInProgress || c == CodeCoordinatorNotAvailable || c == CodeNotCoordinator
}

// transportError is an exchange without an answer.
type transportError struct{ err error }

func (e *transportError) Error() string { return e.err.Error() }
func (e *transportError) Unwrap() error { return e.err }

// unanswered says that a request may have been carried out although no answer came.
func unanswered(err error) bool {
	var t *transportError
	return errors.As(err, &t) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// sorted gives the error of an exchange its sort: a code of the protocol, the caller's ended context, our own closing, or
// a lost connection. Refused certificates and passwords are no lost connections: they do not get better by trying again.
func sorted(ctx context.Context, err error) error {
	var (
		mine Code
		ke   kafka.Error
		cert *tls.CertificateVerificationError
	)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	case errors.As(err, &mine), errors.Is(err, ErrClosed), errors.Is(err, errVersion):
		return err
	case errors.As(err, &ke):
		if ke == kafka.BrokerNotAvailable {
			return &transportError{err}
		}
		return fmt.Errorf("%w: %w", Code(ke), err)
	case errors.As(err, &cert):
		return fmt.Errorf("%w: %w", ErrAuthorization, err)
	default:
		return &transportError{err}
	}
}

func failed(code int16) error {
	if code == 0 {
		return nil
	}
	return Code(code)
}
