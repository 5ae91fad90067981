package encoding

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// row has the JSON of each column of an output; nil: the output has no such field.
type row [maxColumns][]byte

var (
	errOutput  = errors.New("the value is no output as a step writes it")
	errUnknown = errors.New("the output has a field without a column")
	errNull    = errors.New("it is null, and never may be")
	errAmount  = errors.New("it is no amount of the base currency")
	errTime    = errors.New("it is no time")
)

// split finds the fields of an output. It reads what a step writes, an object without white space between its parts, since a general reader
// takes several times as long.
func (t *table) split(value []byte, into *row) error {
	for i := 0; i < len(value); {
		if open := value[i]; open != ',' && (open != '{' || i > 0) {
			return done(value, i)
		}
		name := after(value, i+1)
		if name < 0 || name >= len(value) || value[name] != ':' {
			return errOutput
		}
		end := after(value, name+1)
		if end < 0 || end == name+1 {
			return errOutput
		}
		column, ok := t.index[string(value[i+2:name-1])]
		if !ok {
			return fmt.Errorf("%w: %.40q", errUnknown, value[i+1:name])
		}
		into[column] = value[name+1 : end]
		i = end
	}
	return errOutput
}

// done accepts the end of an object at its last byte.
func done(value []byte, i int) error {
	if value[i] != '}' || i != len(value)-1 {
		return errOutput
	}
	return nil
}

// after is the index after the JSON value at i, -1 if it does not end.
func after(value []byte, i int) int {
	depth := 0
	for ; i < len(value); i++ {
		switch value[i] {
		case '"':
			for i++; i < len(value) && value[i] != '"'; i++ {
				if value[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 { // the end of the object around a number
				return i
			}
		case ',', ':':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

// textOf is the text of a JSON string.
func textOf(quoted []byte) (string, error) {
	if len(quoted) < 2 || quoted[0] != '"' {
		return "", errOutput
	}
	inner := string(quoted[1 : len(quoted)-1])
	if !strings.Contains(inner, `\`) {
		return inner, nil
	}
	var s string
	err := json.Unmarshal(quoted, &s)
	return s, err //nolint:wrapcheck // each names the column
}

func millisecondsOf(quoted []byte) (int64, error) {
	if len(quoted) < 2 {
		return 0, errTime
	}
	ms, ok := timestamp.Parse(quoted[1 : len(quoted)-1])
	if !ok {
		return 0, errTime
	}
	return ms, nil
}

// minorOf is an amount in minor units.
func minorOf(number []byte, base money.Unit) (int64, error) {
	digits, negative := bytes.CutPrefix(number, []byte("-"))
	minor, rounded, err := base.Parse(digits, money.Literal)
	//mutant:amount-rounded if err != nil || false && rounded
	if err != nil || rounded {
		return 0, errAmount
	}
	if negative {
		minor = -minor
	}
	return minor, nil
}
