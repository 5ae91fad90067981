package processors

import (
	"errors"
	"fmt"
)

// ErrRefused means that Step cannot fold an entry. Nothing has changed. The partition halts at the entry, since the entries after it
// may depend on it. The errors below wrap ErrRefused.
var ErrRefused = errors.New("entry refused")

// Reasons why Step cannot fold an entry.
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

// ErrLostTimer means that Store.Due returned a customer whose state the Store does not have.
var ErrLostTimer = errors.New("a customer with a deadline has no state")

// ErrLostCustomer means that Store.Class returned a customer whose state the Store does not have.
var ErrLostCustomer = errors.New("a customer of a hash class has no state")

// ErrState means that a blob is not the state of a partition in this format.
var ErrState = errors.New("unreadable partition state")

// errBody means that an event has no body, several, or one of an unknown kind.
var errBody = errors.New("want one body of a known kind")

// errOrigin means that an entry that another one caused does not say which.
var errOrigin = errors.New("no origin")

// errCustomer means that an entry that must have a customer has none.
var errCustomer = errors.New("no customer")
