package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrUnavailable is trouble on the way or in the server that may pass: try again later. After it the outcome of a Commit
	// is unknown until the same commit has been repeated.
	ErrUnavailable = errors.New("redis is unavailable")

	// ErrClaimLost says that token or commit id in meta are not those of this claim: Redis went back in time or was emptied, or
	// another owner has claimed. Nothing computed since the last publish may be published: drop the cache, claim again.
	ErrClaimLost = errors.New("redis does not hold this claim's last commit")

	// ErrTorn says that the stored state is not one that a commit left behind whole: begin a new snapshot and fold the ledger
	// again. Until then the partition refuses everything but Claim and Begin.
	ErrTorn = errors.New("the partition's state in redis is torn")

	// ErrCommitPending is a mistake of the caller: while the outcome of a commit is unknown only the same commit may be repeated,
	// or the partition claimed again.
	ErrCommitPending = errors.New("a commit is unsettled")

	// ErrDenied says that the server does not let this user do what is needed. It does not pass by itself.
	ErrDenied = errors.New("redis denies access")

	// ErrUnknownFormat says that meta was written in a format that this release does not know.
	ErrUnknownFormat = errors.New("unknown format of the state in redis")
)

// failed wraps an error of go-redis with the class that a caller acts on.
func failed(err error, format string, args ...any) error {
	doing := fmt.Sprintf(format, args...)
	if class := classOf(err); class != nil && !errors.Is(err, class) {
		return fmt.Errorf("%s: %w: %w", doing, class, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// classOf returns nil for an error that nobody foresaw: it is passed on as it is, and stops whoever meets it.
func classOf(err error) error {
	for _, class := range []error{ErrUnavailable, ErrClaimLost, ErrTorn, ErrCommitPending, ErrDenied, ErrUnknownFormat} {
		if errors.Is(err, class) {
			return class
		}
	}
	if reply, ok := errors.AsType[redis.Error](err); ok {
		code, _, _ := strings.Cut(reply.Error(), " ")
		switch code {
		case "WRONGTYPE":
			return ErrTorn
		case "NOAUTH", "WRONGPASS", "NOPERM":
			return ErrDenied
		case "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "NOREPLICAS", "MISCONF", "OOM", "BUSY",
			"UNBLOCKED", "EXECABORT":
			return ErrUnavailable
		}
		if strings.Contains(reply.Error(), "max number of clients reached") {
			return ErrUnavailable
		}
		return nil
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.ErrClosedPipe) || errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) ||
		errors.Is(err, redis.ErrClosed) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return ErrUnavailable
	}
	return nil
}

// isReply says whether the server itself answered with an error, as opposed to no answer at all.
func isReply(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok
}
