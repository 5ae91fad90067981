package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The classes of errors that callers distinguish with errors.Is.
var (
	// ErrUnavailable: the network or the server failed; try again later. After it the outcome of a Commit is unknown until the same
	// commit has been repeated.
	ErrUnavailable = errors.New("redis is unavailable")

	// ErrFull: maxmemory is reached, so that writes are refused. It is an ErrUnavailable.
	ErrFull = fmt.Errorf("%w: its memory is full (maxmemory)", ErrUnavailable)

	// ErrRefusesWrites: the server is a replica, or it cannot persist what it is sent (MISCONF, NOREPLICAS). It is an ErrUnavailable.
	ErrRefusesWrites = fmt.Errorf("%w: it refuses writes", ErrUnavailable)

	// ErrClaimLost: token or commit id in meta are not those of this claim, because Redis was restored or emptied, or another owner
	// has claimed the partition. Nothing computed since the last publish may be published: drop the cache and claim again.
	ErrClaimLost = errors.New("redis does not hold this claim's last commit")

	// ErrTorn: the stored state is not the complete result of a commit, or it was damaged. Begin a new snapshot and fold the ledger again. Until then the
	// partition refuses everything but Claim and BeginSnapshot.
	ErrTorn = errors.New("the partition's state in redis is torn")

	// ErrCommitPending is an error of the caller: while the outcome of a commit is unknown, it may only repeat the same commit or claim
	// the partition again.
	ErrCommitPending = errors.New("the outcome of another commit is unknown")

	// ErrDenied: authentication failed, or the user lacks a permission. Trying again does not help.
	ErrDenied = errors.New("redis denies access")

	// ErrUnknownFormat: meta was written in a format that this release does not support.
	ErrUnknownFormat = errors.New("unknown format of the state in redis")
)

// wrapClass wraps an error of go-redis with its class and with what was being done.
func wrapClass(err error, format string, args ...any) error {
	doing := fmt.Sprintf(format, args...)
	if class := errorClass(err); class != nil && !errors.Is(err, class) {
		return fmt.Errorf("%s: %w: %w", doing, class, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// errorClass returns the class of err, or nil for an unexpected error, which callers treat as permanent.
func errorClass(err error) error {
	for _, class := range []error{ErrFull, ErrRefusesWrites, ErrUnavailable, ErrClaimLost, ErrTorn, ErrCommitPending, ErrDenied, ErrUnknownFormat} {
		if errors.Is(err, class) {
			return class
		}
	}
	if isDenied(err) {
		return ErrDenied
	}
	if reply, ok := errors.AsType[redis.Error](err); ok {
		switch replyCode(reply) {
		case "WRONGTYPE":
			return ErrTorn
		case "NOAUTH", "WRONGPASS":
			return ErrDenied
		case "OOM":
			return ErrFull
		case "READONLY", "MISCONF", "NOREPLICAS":
			return ErrRefusesWrites
		case "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "BUSY", "UNBLOCKED", "EXECABORT":
			return ErrUnavailable
		}
		if strings.Contains(reply.Error(), "max number of clients reached") {
			return ErrUnavailable
		}
		return nil
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok || rejectedCertificate(err) {
		return ErrDenied
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.ErrClosedPipe) || errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) ||
		errors.Is(err, redis.ErrClosed) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return ErrUnavailable
	}
	return nil
}

// rejectedCertificate reports whether the server's TLS refused the certificate of the client. crypto/tls has no type for that: a server
// that speaks TLS 1.3 says so in an alert after the handshake.
func rejectedCertificate(err error) bool {
	remote, ok := errors.AsType[*net.OpError](err)
	return ok && remote.Op == "remote error" && strings.Contains(remote.Err.Error(), "certificate")
}

// isReply reports whether err is an error reply of the server, as opposed to a missing reply.
func isReply(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok
}

// replyCode returns the first word of an error reply, by which servers classify it.
func replyCode(reply redis.Error) string {
	code, _, _ := strings.Cut(reply.Error(), " ")
	return code
}

// exec queues commands in one MULTI and executes it.
func exec(ctx context.Context, on interface {
	TxPipelined(ctx context.Context, fn func(redis.Pipeliner) error) ([]redis.Cmder, error)
}, queue func(redis.Pipeliner) error,
) ([]redis.Cmder, error) {
	cmds, err := on.TxPipelined(ctx, queue)
	return cmds, abortCause(cmds, err)
}

// errAborted: the server has discarded a whole transaction.
var errAborted = errors.New("the transaction was discarded")

// abortCause adds the cause to an EXECABORT, which only says that the transaction was discarded: the reply to the command that the
// server refused to queue.
func abortCause(cmds []redis.Cmder, err error) error {
	if reply, ok := errors.AsType[redis.Error](err); !ok || replyCode(reply) != "EXECABORT" {
		return err
	}
	for _, cmd := range cmds {
		if refused, ok := errors.AsType[redis.Error](cmd.Err()); ok && replyCode(refused) != "EXECABORT" {
			return fmt.Errorf("%w, since %s was refused: %w", errAborted, cmd.Name(), refused)
		}
	}
	return fmt.Errorf("%w: %w", errAborted, err)
}
