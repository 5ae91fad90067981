package output

import (
	"strconv"
	"unicode/utf8"
)

// Reasons are short sentences for a person that say why an answer is what it is. They keep their memory when they are reset, so an
// output that is filled again and again allocates nothing for them; slices of strings would allocate for each sentence of each output.
// The zero Reasons has none.
type Reasons struct {
	text []byte // all sentences, one after the other
	ends []int  // of each sentence in text
}

// ReasonsOf returns reasons of these sentences.
func ReasonsOf(sentences ...string) Reasons {
	var r Reasons
	for _, s := range sentences {
		r.Add(s)
	}
	return r
}

// Reset removes all sentences.
func (r *Reasons) Reset() { r.text, r.ends = r.text[:0], r.ends[:0] }

// Add adds a sentence that consists of these parts.
func (r *Reasons) Add(parts ...string) {
	text := r.Text()
	for _, part := range parts {
		text = append(text, part...)
	}
	r.End(text)
}

// Text returns what the next sentence is to be appended to. End takes the result.
func (r *Reasons) Text() []byte { return r.text }

// End adds the sentence that was appended to what Text returned.
func (r *Reasons) End(text []byte) { r.text, r.ends = text, append(r.ends, len(text)) }

// EndShare is End of a sentence that ends with a share in percent.
func (r *Reasons) EndShare(text []byte, percent int) {
	r.End(append(strconv.AppendInt(append(text, ": "...), int64(percent), 10), '%'))
}

// All returns the sentences.
func (r *Reasons) All() []string {
	all, from := make([]string, 0, len(r.ends)), 0
	for _, end := range r.ends {
		all, from = append(all, string(r.text[from:end])), end
	}
	return all
}

func (l *line) reasons(r *Reasons) {
	l.key(`,"reasons":[`)
	from := 0
	for i, end := range r.ends {
		if i > 0 {
			l.dst = append(l.dst, ',')
		}
		l.dst = appendText(l.dst, r.text[from:end])
		from = end
	}
	l.dst = append(l.dst, ']')
}

// appendText appends a JSON string, as appendString does. It allocates only for a text that has something to escape.
func appendText(dst, text []byte) []byte {
	for _, c := range text {
		if c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return appendString(dst, string(text))
		}
	}
	return append(append(append(dst, '"'), text...), '"')
}
