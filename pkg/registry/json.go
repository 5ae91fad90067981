package registry

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// number is the exact text of a number.
type number string

// Bounds of what a record becomes. The names of its fields, which its schema has once, are written for each of its elements.
const (
	maxJSON  = 16 << 20 // bytes
	maxDepth = 128      // as of the decoder of events
)

var errLarge = fmt.Errorf("it is larger than %d MiB as JSON, has more than %d values, or is nested more than %d deep", maxJSON>>20, maxValues, maxDepth)

// jsonWriter writes decoded values as JSON. Whole numbers and decimals keep all their digits.
type jsonWriter struct {
	out   []byte
	depth int
	err   error
}

func (w *jsonWriter) value(v any) {
	if len(w.out) > maxJSON || w.depth > maxDepth {
		w.err = errLarge
	}
	if w.err != nil {
		return
	}
	w.depth++
	defer func() { w.depth-- }()
	switch v := v.(type) {
	case nil:
		w.out = append(w.out, "null"...)
	case bool:
		w.out = strconv.AppendBool(w.out, v)
	case int32:
		w.out = strconv.AppendInt(w.out, int64(v), 10)
	case int64:
		w.out = strconv.AppendInt(w.out, v, 10)
	case uint32:
		w.out = strconv.AppendUint(w.out, uint64(v), 10)
	case uint64:
		w.out = strconv.AppendUint(w.out, v, 10)
	case float32:
		w.float(float64(v), 32)
	case float64:
		w.float(v, 64)
	case number:
		w.out = append(w.out, v...)
	case string:
		w.text(v)
	case []byte:
		w.text(base64.StdEncoding.EncodeToString(v))
	case []any:
		w.list(len(v), func(i int) { w.value(v[i]) }, '[', ']')
	case map[string]any:
		names := slices.Sorted(maps.Keys(v))
		w.list(len(names), func(i int) {
			w.text(names[i])
			w.out = append(w.out, ':')
			w.value(v[names[i]])
		}, '{', '}')
	case fmt.Stringer: // a time of day, a duration
		w.text(v.String())
	default:
		w.err = fmt.Errorf("%w: %T", errType, v)
	}
}

var (
	errType = errors.New("a type without a form in JSON")
	errText = errors.New("a text is not UTF-8")
)

func (w *jsonWriter) list(n int, each func(int), open, end byte) {
	w.out = append(w.out, open)
	for i := range n {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		if each(i); w.err != nil {
			return
		}
	}
	w.out = append(w.out, end)
}

// float writes the shortest text that is read as the same number. JSON has none for infinity and what is no number: their names are no amounts.
func (w *jsonWriter) float(f float64, bits int) {
	text := strconv.FormatFloat(f, 'g', -1, bits)
	if math.IsInf(f, 0) || math.IsNaN(f) {
		text = `"` + text + `"`
	}
	w.out = append(w.out, text...)
}

func (w *jsonWriter) text(s string) {
	quoted, err := json.Marshal(s)
	if err == nil && !utf8.ValidString(s) {
		err = errText
	}
	if err != nil {
		w.err = err
		return
	}
	w.out = append(w.out, quoted...)
}
