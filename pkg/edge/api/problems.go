package api

import (
	"net/http"

	"github.com/mainstay/mainstay/pkg/node/server"
)

// kind is a kind of problem. Its name is unique: a program may rely on it.
type kind struct {
	name   string
	status int
	title  string
}

//nolint:gochecknoglobals // a constant table
var (
	unknownParameter  = kind{"unknown_parameter", http.StatusBadRequest, "The path has no such parameter"}
	repeatedParameter = kind{"repeated_parameter", http.StatusBadRequest, "A parameter is given twice"}
	badParameter      = kind{"bad_parameter", http.StatusBadRequest, "A parameter has a value that it cannot have"}
	unknownColumn     = kind{"unknown_column", http.StatusBadRequest, "There is no such column, or customers cannot be sorted by it"}
	badCondition      = kind{"bad_condition", http.StatusBadRequest, "A condition cannot be read"}
	badCursor         = kind{"bad_cursor", http.StatusBadRequest, "The cursor is damaged"}
	cursorOfAnother   = kind{"cursor_of_another_query", http.StatusBadRequest, "The cursor is of another query"}
	unknownCustomer   = kind{"unknown_customer", http.StatusNotFound, "There is no such customer"}
	unknownPath       = kind{"unknown_path", http.StatusNotFound, "There is no such path"}
	notAllowed        = kind{"method_not_allowed", http.StatusMethodNotAllowed, "The path is only read"}
	foreignOrigin     = kind{"foreign_origin", http.StatusForbidden, "A web page of another host may not mark customers"}
	copying           = kind{"ledger_is_copied", http.StatusConflict, "The ledger is a copy that is not finished"}
	badBody           = kind{"bad_body", http.StatusBadRequest, "The body cannot be read"}
	bodyTooLarge      = kind{"body_too_large", http.StatusRequestEntityTooLarge, "The body is too large"}
	unsupportedType   = kind{"unsupported_media_type", http.StatusUnsupportedMediaType, "The body is not of this type"}
	outputsDeleted    = kind{"outputs_deleted", http.StatusGone, "Who has changed is no longer known"}
	noStateYet        = kind{"no_state_yet", http.StatusServiceUnavailable, "Nothing has been computed yet"}
	stillReading      = kind{"still_reading", http.StatusServiceUnavailable, "All customers are still being read"}
	unavailable       = kind{"unavailable", http.StatusServiceUnavailable, "A server that holds the answer does not answer"}
	internal          = kind{"internal", http.StatusInternalServerError, "The answer could not be made"}
)

func problem(k kind, detail string) server.Problem {
	return server.Problem{Name: k.name, Title: k.title, Status: k.status, Detail: detail}
}

// problemError is an error that carries its problem.
type problemError struct{ problem server.Problem }

func (e *problemError) Error() string { return e.problem.Name + ": " + e.problem.Detail }

func refused(k kind, detail string) error { return &problemError{problem(k, detail)} }
