package processors

import (
	"errors"
	"fmt"
)

// ErrRefused is an entry that Step cannot fold. Nothing has changed; the partition stops there, since everything behind it may
// depend on it. The errors below wrap it.
var ErrRefused = errors.New("entry refused")

// Why an entry is refused.
var (
	ErrNoGenesis      = fmt.Errorf("%w: the ledger does not begin with genesis", ErrRefused)
	ErrGenesis        = fmt.Errorf("%w: genesis that cannot be kept", ErrRefused)
	ErrSecondGenesis  = fmt.Errorf("%w: a second genesis", ErrRefused)
	ErrOutOfOrder     = fmt.Errorf("%w: offset is not above the one before", ErrRefused)
	ErrUnknownVersion = fmt.Errorf("%w: unknown version", ErrRefused)
	ErrUnknownKind    = fmt.Errorf("%w: unknown kind", ErrRefused)
	ErrUnknownModel   = fmt.Errorf("%w: unknown model", ErrRefused)
	ErrMalformed      = fmt.Errorf("%w: malformed", ErrRefused)
	ErrNewerLogic     = fmt.Errorf("%w: folded under newer logic", ErrRefused)
)

// ErrLostTimer is a deadline without a customer: the Store has lost something.
var ErrLostTimer = errors.New("a deadline without its customer")

// ErrLostCustomer is a customer of a class who is not there: the Store has lost something.
var ErrLostCustomer = errors.New("a customer of a class is not there")

// ErrState is a partition's state that no Encode of this format has written.
var ErrState = errors.New("unreadable partition state")

// errBody is an event with no body, two, or one of an unknown kind.
var errBody = errors.New("want one body of a known kind")

// errCustomer is an entry that should belong to somebody.
var errCustomer = errors.New("no customer")
