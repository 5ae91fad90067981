package trait

import (
	"slices"
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
//
// Attributes are numbered likewise, by their names, each with texts of its own. So none is mixed up with another, whatever else the setting
// names and in which order, and one that is named again goes on with what was known of it.
type Texts struct {
	lists      [vocabularies]list
	attributes []attribute
}

type attribute struct {
	name string
	list
}

type list struct {
	texts   []string // text i has number i+1
	numbers map[string]Number
}

// Attribute returns the attribute of a name. One that is new is added, if there is room; false: there is none.
func (x *Texts) Attribute(name string) (t Trait, ok bool) {
	if t, ok = x.KnownAttribute(name); ok || len(x.attributes) == MaxAttributes {
		return t, ok
	}
	x.attributes = append(x.attributes, attribute{name: strings.Clone(name)})
	return FirstAttribute + Trait(len(x.attributes)-1), true //nolint:gosec // at most MaxAttributes
}

// KnownAttribute returns the attribute of a name, if it was ever stated.
func (x *Texts) KnownAttribute(name string) (t Trait, ok bool) {
	i := slices.IndexFunc(x.attributes, func(a attribute) bool { return a.name == name })
	return FirstAttribute + Trait(max(i, 0)), i >= 0 //nolint:gosec // at most MaxAttributes
}

// Attributes returns the number of attributes.
func (x *Texts) Attributes() int { return len(x.attributes) }

// AttributeNames returns the names of all attributes, in the order of their numbers.
func (x *Texts) AttributeNames() []string {
	names := make([]string, len(x.attributes))
	for i := range x.attributes {
		names[i] = x.attributes[i].name
	}
	return names
}

// Name returns the name of an attribute.
func (x *Texts) Name(t Trait) string { return x.attributes[t-FirstAttribute].name }

// of returns the texts of a trait.
func (x *Texts) of(t Trait) *list {
	switch at := int(t) - int(FirstAttribute); {
	case at < 0:
		return &x.lists[table[t].vocabulary]
	case at < len(x.attributes):
		return &x.attributes[at].list
	}
	return new(list)
}

// Number returns the number of a text of a trait. A text that is new is added, if there is room.
func (x *Texts) Number(t Trait, text string) Number {
	l := x.of(t)
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
	if l := x.of(t); n > 0 && int(n) <= len(l.texts) {
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

// EncodeAttributes returns the attributes as a partition's state holds them; nil if there are none.
func (x *Texts) EncodeAttributes() []*state.AttributeTexts {
	var w []*state.AttributeTexts
	for i := range x.attributes {
		w = append(w, &state.AttributeTexts{Name: x.attributes[i].name, Text: x.attributes[i].texts})
	}
	return w
}

// DecodeAttributes reads what EncodeAttributes returned into x, which must have none.
func (x *Texts) DecodeAttributes(w []*state.AttributeTexts) {
	//mutant:attributes-lost-on-reclaim delete
	for _, a := range w[:min(len(w), MaxAttributes)] {
		x.attributes = append(x.attributes, attribute{name: a.GetName()})
		for _, text := range a.GetText() {
			x.attributes[len(x.attributes)-1].add(text)
		}
	}
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
