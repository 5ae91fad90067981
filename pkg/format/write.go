package format

import (
	"encoding/json"
	"math/big"
	"strings"
)

// writer writes an event.
type writer struct {
	scope scope
	paths map[string]string
	out   []byte
}

// object writes the fields of an event, or of an element of one; at is where their paths begin.
func (w *writer) object(prefix string, fields members, at map[string]any) {
	w.out = append(w.out, '{')
	start := len(w.out)
	for _, m := range fields {
		for i := range m.sources {
			s := &m.sources[i]
			before := len(w.out)
			if before > start {
				w.out = append(w.out, ',')
			}
			w.quoted(m.name)
			w.out = append(w.out, ':')
			if w.value(prefix+m.name, s, at) {
				w.paths[prefix+m.name] = s.place()
				break
			}
			w.out = w.out[:before]
		}
	}
	w.out = append(w.out, '}')
}

// value writes the value of a source; false if it has none.
func (w *writer) value(name string, s *source, at map[string]any) bool {
	switch {
	case s.constant != nil:
		if s.constant.Tag == "!!null" {
			w.out = append(w.out, "null"...)
		} else {
			w.quoted(s.constant.Value)
		}
		return true
	case s.sum != nil:
		return w.sum(s, at)
	case s.join != nil:
		return w.joined(s, at)
	case s.each != nil:
		return w.elements(name, s, at)
	}
	all := s.path.find(at, &w.scope)
	if len(all) == 0 {
		return false
	}
	if s.minor != nil {
		exact, ok := number(all[0].value)
		if !ok {
			return w.plain(all[0].value)
		}
		return w.decimal(exact, s, at)
	}
	value := all[0].value
	if s.match != nil {
		if value = s.firstMatch(all); value == "" {
			return false
		}
	}
	if written := valueText(value); s.utc && !zoned(written) {
		w.quoted(written + "Z")
		return true
	}
	if meaning, ok := s.table[strings.ToLower(valueText(value))]; ok {
		w.quoted(meaning)
		return true
	}
	return w.plain(value)
}

// firstMatch is the group of the first value that matches; "" if none does.
func (s *source) firstMatch(all []foundValue) string {
	for _, v := range all {
		if groups := s.match.FindStringSubmatch(valueText(v.value)); groups != nil && groups[1] != "" {
			return groups[1]
		}
	}
	return ""
}

// joined writes texts as one.
func (w *writer) joined(s *source, at map[string]any) bool {
	var all []string
	for i, p := range s.join {
		t := valueText(first(p.find(at, &w.scope)))
		if t == "" && i == 0 {
			return false
		}
		if t != "" {
			all = append(all, t)
		}
	}
	w.quoted(strings.Join(all, "-"))
	return true
}

// zoned reports whether a civil time states its zone, after the time of day.
func zoned(written string) bool {
	const day = len("2026-03-01")
	return len(written) <= day || strings.ContainsAny(written[day:], "Zz+-")
}

// plain writes a value as it is.
func (w *writer) plain(v any) bool {
	if n, ok := v.(json.Number); ok {
		w.out = append(w.out, n...)
		return true
	}
	if s, ok := v.(string); ok {
		w.quoted(s)
		return true
	}
	encoded, _ := json.Marshal(v) // it was decoded from JSON
	w.out = append(w.out, encoded...)
	return true
}

func (w *writer) quoted(s string) {
	encoded, _ := json.Marshal(s) // a string never fails
	w.out = append(w.out, encoded...)
}

// elements writes an object for each element of an array, or for an object. Where there is neither, nothing is said; an empty array
// says that there are none.
func (w *writer) elements(name string, s *source, at map[string]any) bool {
	switch first(s.each.list().find(at, &w.scope)).(type) {
	case []any, map[string]any:
	default:
		return false
	}
	if s.single {
		object, _ := first(s.each.find(at, &w.scope)).(map[string]any)
		before := len(w.out)
		w.object(name+".", s.parts, object)
		return len(w.out) > before+len("{}")
	}
	w.out = append(w.out, '[')
	written := false
	for _, e := range s.each.find(at, &w.scope) {
		object, ok := e.value.(map[string]any)
		if !ok {
			continue
		}
		if written {
			w.out = append(w.out, ',')
		}
		w.object(name+".", s.parts, object)
		written = true
	}
	w.out = append(w.out, ']')
	return true
}

// sum writes the sum of the terms, at least 0; there is none if the first term has no value.
func (w *writer) sum(s *source, at map[string]any) bool {
	total := new(big.Rat)
	for i, t := range s.sum {
		all := t.path.find(at, &w.scope)
		if i == 0 && len(all) == 0 {
			return false
		}
		for _, v := range all {
			n, ok := number(v.value)
			if !ok {
				return w.plain(v.value) // the decoder refuses it
			}
			if t.times != "" {
				factor, ok := number(v.beside[t.times])
				if !ok {
					factor = big.NewRat(1, 1)
				}
				n = n.Mul(n, factor)
			}
			if t.minus {
				n.Neg(n)
			}
			total.Add(total, n)
		}
	}
	if total.Sign() < 0 {
		total.SetInt64(0)
	}
	return w.decimal(total, s, at)
}

// decimal writes an amount, from minor units if the source says so.
func (w *writer) decimal(exact *big.Rat, s *source, at map[string]any) bool {
	if s.minor != nil {
		code := valueText(first(s.minor.currency.find(at, &w.scope)))
		if code == "" {
			code = valueText(first(s.minor.currency.find(w.scope.event, &w.scope)))
		}
		exact = new(big.Rat).Mul(exact, new(big.Rat).SetFrac64(1, powerOfTen(s.minor.decimalsOf(code))))
	}
	const most = 18
	digits := exact.FloatString(most)
	digits = strings.TrimRight(digits, "0")
	w.out = append(w.out, strings.TrimSuffix(digits, ".")...)
	return true
}

// decimalsOf returns in how many decimals the vendor counts a currency: 2 of one that is unknown, which the decoder refuses.
func (m *minor) decimalsOf(code string) int {
	if n, ok := m.decimals[strings.ToUpper(code)]; ok {
		return n
	}
	if unit, ok := m.iso4217.Lookup([]byte(code)); ok {
		return unit.Decimals
	}
	return 2
}

func powerOfTen(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// number reads a number or its text.
func number(v any) (*big.Rat, bool) {
	written := valueText(v)
	if len(written) == 0 || len(written) > 40 || strings.Trim(written, "0123456789.-") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(written)
}
