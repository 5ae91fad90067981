// Package locale owns how people read what Mainstay shows them: the language of its texts, the calendar of its dates, the digits and
// separators of its numbers, and the direction of its lines. A text is written in English where it is used; the catalogue of another
// language translates it.
//
// It refuses to know what is shown, to lay it out, and to change anything that programs read: JSON, CSV, metrics, logs and addresses are
// the same in every locale.
package locale

import (
	"slices"

	"golang.org/x/text/language"
)

// Locale is how the people of one language read. English has no catalogue: its texts are those of the code.
type Locale struct {
	Tag         string // as HTML's lang states it
	Name        string // in its own language
	RightToLeft bool

	texts   map[string]string // by the English text or format
	names   map[string]string // by the name of a field, a class or a rule
	numbers *numbers
	dates   *dates
}

// Auto is the value of the setting by which each reader's own environment chooses: the browser's languages, or the terminal's.
const Auto = "auto"

// All are the locales. The first one is the default.
func All() []*Locale { return []*Locale{English(), persian()} }

// English is the locale of the texts of the code.
func English() *Locale { return &Locale{Tag: "en", Name: "English"} }

// Named returns the locale of a tag, or nil.
func Named(tag string) *Locale {
	all := All()
	if i := slices.IndexFunc(all, func(l *Locale) bool { return l.Tag == tag }); i >= 0 {
		return all[i]
	}
	return nil
}

// Preferred returns the locale that suits languages best, which are written as in Accept-Language; the default one if none does.
func Preferred(languages string) *Locale {
	all := All()
	tags := make([]language.Tag, len(all))
	for i, l := range all {
		tags[i] = language.MustParse(l.Tag)
	}
	_, at := language.MatchStrings(language.NewMatcher(tags), languages)
	return all[at]
}

// Direction is the value of HTML's attribute dir.
func (l *Locale) Direction() string {
	if l.RightToLeft {
		return "rtl"
	}
	return "ltr"
}
