package trait

import (
	"strings"

	"github.com/mainstay/mainstay/schemas/state"
)

// MaxTexts is the most texts that a partition tells apart in a vocabulary. A trait of another text is Other from then on.
const MaxTexts = 1000

// Other is the text of traits whose texts are too many to be told apart. Shops state it as well.
const Other = "other"

// Number is the number of a text in its vocabulary: 0 is Other.
type Number uint32

// Texts numbers the texts of traits in the order in which it first meets them, so that customers hold numbers. Nothing is ever taken out:
// a text is what the shop calls a channel or a category, not what it knows of a person. The zero value has no texts.
type Texts struct{ lists [vocabularies]list }

type list struct {
	texts   []string // text i has number i+1
	numbers map[string]Number
}

// Number returns the number of a text of a trait. A text that is new is added, if there is room.
func (x *Texts) Number(t Trait, text string) Number {
	l := &x.lists[table[t].vocabulary]
	if n, known := l.numbers[text]; known {
		return n
	}
	//mutant:trait-texts-without-bound if false && $
	if len(l.texts) >= MaxTexts || text == Other {
		return 0
	}
	return l.add(strings.Clone(text))
}

func (l *list) add(text string) Number {
	l.texts = append(l.texts, text)
	if l.numbers == nil {
		l.numbers = map[string]Number{}
	}
	n := Number(len(l.texts)) //nolint:gosec // at most MaxTexts
	l.numbers[text] = n
	return n
}

// Text returns the text of a number.
func (x *Texts) Text(t Trait, n Number) string {
	if l := &x.lists[table[t].vocabulary]; n > 0 && int(n) <= len(l.texts) {
		return l.texts[n-1]
	}
	return Other
}

// Encode returns the texts as a partition's state holds them; nil if there are none.
func (x *Texts) Encode() []*state.TraitTexts {
	var w []*state.TraitTexts
	for i := range x.lists {
		if l := &x.lists[i]; len(l.texts) > 0 {
			for len(w) < i {
				w = append(w, new(state.TraitTexts))
			}
			w = append(w, &state.TraitTexts{Text: l.texts})
		}
	}
	return w
}

// Decode reads what Encode returned into x, which must be empty.
func (x *Texts) Decode(w []*state.TraitTexts) {
	//mutant:trait-texts-lost-on-reclaim delete
	for i := range min(len(w), len(x.lists)) {
		for _, text := range w[i].GetText() {
			x.lists[i].add(text)
		}
	}
}
