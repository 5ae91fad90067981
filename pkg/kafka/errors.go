package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go"
)

// The classes of errors that callers distinguish with errors.Is.
var (
	// ErrFenced: another producer has opened the transactional id (90, 47), or the generation or membership is over (22, 25; and 27
	// on an explicit heartbeat or commit). Stop; do not open again.
	ErrFenced = errors.New("fenced: another owner has taken over")
	// ErrReopen: the outcome is unknown or the transaction is unusable. Open again, read the committed offset, continue from there.
	ErrReopen = errors.New("outcome unknown: open again")
	// ErrOutOfRange: the offset is below the log start or above the log end. *OutOfRangeError has the details.
	ErrOutOfRange = errors.New("offset out of range")
	// ErrUnknownTopic: the topic or partition does not exist.
	ErrUnknownTopic = errors.New("unknown topic or partition")
	// ErrAuthorization: authentication failed, or the principal lacks a permission.
	ErrAuthorization = errors.New("not authorized")
	// ErrCorrupt: a record batch that is malformed or whose CRC is wrong.
	ErrCorrupt = errors.New("corrupt record batch")
	// ErrClosed: the client, group or producer is closed.
	ErrClosed = errors.New("closed")
	// ErrGenerationEnded is the cause with which the context of a Generation ends.
	ErrGenerationEnded = errors.New("generation has ended")
)

// Code is an error code of the Kafka protocol (https://kafka.apache.org/protocol#protocol_error_codes).
type Code int16

// The codes that this package handles, named as in the protocol guide.
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
	CodeMessageTooLarge              Code = 10
	CodeNetworkException             Code = 13
	CodeCoordinatorLoadInProgress    Code = 14
	CodeCoordinatorNotAvailable      Code = 15
	CodeNotCoordinator               Code = 16
	CodeInvalidTopic                 Code = 17
	CodeRecordListTooLarge           Code = 18
	CodeNotEnoughReplicas            Code = 19
	CodeNotEnoughReplicasAfterAppend Code = 20
	CodeInvalidRequiredAcks          Code = 21
	CodeIllegalGeneration            Code = 22
	CodeUnknownMemberID              Code = 25
	CodeRebalanceInProgress          Code = 27
	CodeTopicAuthorizationFailed     Code = 29
	CodeGroupAuthorizationFailed     Code = 30
	CodeClusterAuthorizationFailed   Code = 31
	CodeInvalidTimestamp             Code = 32
	CodeUnsupportedSASLMechanism     Code = 33
	CodeIllegalSASLState             Code = 34
	CodeUnsupportedVersion           Code = 35
	CodeTopicAlreadyExists           Code = 36
	CodeNotController                Code = 41
	CodeUnsupportedForMessageFormat  Code = 43
	CodePolicyViolation              Code = 44
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
	CodeUnsupportedCompressionType   Code = 76
	CodeOffsetNotAvailable           Code = 78
	CodeInvalidRecord                Code = 87
	CodeProducerFenced               Code = 90
)

// Error returns the name and the number of the code.
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

// name returns the names of codes that kafka-go misnames (55) or lacks, and "" for all others.
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
	case CodeInvalidRecord:
		return "invalid record"
	default:
		return ""
	}
}

// Is makes a code match the class of error that it belongs to.
func (c Code) Is(target error) bool {
	switch c {
	case CodeProducerFenced, CodeInvalidProducerEpoch, CodeIllegalGeneration, CodeUnknownMemberID:
		return target == ErrFenced
	case CodeOffsetOutOfRange:
		return target == ErrOutOfRange
	case CodeUnknownTopicOrPartition:
		return target == ErrUnknownTopic
	case CodeTopicAuthorizationFailed, CodeGroupAuthorizationFailed, CodeClusterAuthorizationFailed,
		CodeTransactionalIDAuthFailed, CodeUnsupportedSASLMechanism, CodeIllegalSASLState, CodeSASLAuthenticationFailed:
		return target == ErrAuthorization
	case CodeCorruptMessage:
		return target == ErrCorrupt
	default:
		return false
	}
}

// OutOfRangeError is the details of an ErrOutOfRange.
type OutOfRangeError struct {
	Topic     string
	Partition int32
	Offset    int64 // the offset that was requested
	// LogStart and HighWatermark are the bounds of the log, by its newest leader.
	LogStart, HighWatermark int64
}

// Error returns the partition and the offsets.
func (e *OutOfRangeError) Error() string {
	return fmt.Sprintf("fetch %s/%d at %d: %v (the log holds %d to %d)", e.Topic, e.Partition, e.Offset, ErrOutOfRange, e.LogStart, e.HighWatermark)
}

// Is reports whether target is ErrOutOfRange.
func (e *OutOfRangeError) Is(target error) bool { return target == ErrOutOfRange }

// Retriable reports whether the infrastructure failed (no connection, no response, a leader or coordinator that moves), so that the same
// request may succeed later. It does not say whether a write has happened: see ErrReopen. The end of the caller's context is not
// retriable.
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

// coordinatorBusy reports whether a coordinator is loading (14), not available (15), elsewhere (16), or still writing the markers of the
// previous transaction (51). Such a request had no effect and may be repeated unchanged.
func coordinatorBusy(err error) bool {
	var c Code
	return errors.As(err, &c) && (c == CodeConcurrentTransactions || c.coordinatorMoved())
}

func (c Code) coordinatorMoved() bool {
	return c == CodeCoordinatorLoadInProgress || c == CodeCoordinatorNotAvailable || c == CodeNotCoordinator
}

// transportError is an exchange without a response.
type transportError struct{ err error }

func (e *transportError) Error() string { return e.err.Error() }
func (e *transportError) Unwrap() error { return e.err }

// outcomeUnknown reports whether the request may have taken effect although no response arrived.
func outcomeUnknown(err error) bool {
	var t *transportError
	return errors.As(err, &t) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// classify classifies the error of an exchange: a code of the protocol, the end of the caller's context, the client's Close, or a lost
// connection. Rejected certificates and passwords do not count as lost connections, because trying again does not help.
func classify(ctx context.Context, err error) error {
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
	case errors.As(err, &cert), rejectedCertificate(err):
		return fmt.Errorf("%w: %w", ErrAuthorization, err)
	default:
		return &transportError{err}
	}
}

// rejectedCertificate reports whether the broker's TLS refused the certificate of the client. crypto/tls has no type for that: a broker
// that speaks TLS 1.3 says so in an alert after the handshake.
func rejectedCertificate(err error) bool {
	remote, ok := errors.AsType[*net.OpError](err)
	return ok && remote.Op == "remote error" && strings.Contains(remote.Err.Error(), "certificate")
}

func codeError(code int16) error {
	if code == 0 {
		return nil
	}
	return Code(code)
}
