package locale

import "strings"

// T returns a text in the language; the text itself if the catalogue lacks it.
func (l *Locale) T(text string) string {
	if translated, found := l.texts[text]; found {
		return translated
	}
	return text
}

// N returns the name of a field, a class or a rule in words. Where the catalogue lacks it, as it does those that a shop has chosen, it is
// made of the name itself: first_order is First order.
func (l *Locale) N(name string) string {
	if translated, found := l.names[name]; found {
		return translated
	}
	all := strings.Split(name, "_")
	for i, word := range all {
		if word == "clv" || word == "nps" || word == "cac" || word == "roi" {
			all[i] = strings.ToUpper(word)
		}
	}
	text := strings.Join(all, " ")
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// Knows reports whether the language has a word of its own for a name. English has one for each.
func (l *Locale) Knows(name string) bool {
	_, found := l.names[name]
	return found || l.names == nil
}

// C returns the word for a class or another value of a field, such as high or top_10; the value itself if the catalogue lacks it.
func (l *Locale) C(value string) string {
	if translated, found := l.names[value]; found {
		return translated
	}
	return value
}

// Cell writes the text of a report's cell: a period, or a class of which the language has a word. Other texts are names that a shop has chosen.
func (l *Locale) Cell(column, text string) string {
	switch column {
	case "day", "month", "quarter", "year", "cohort", "answer_month":
		return l.Period(text)
	case "value_tier", "churn_risk", "nps_category", "engagement", "referred", "rfm", "kind", "currency", "model_status", "customers", "measure", "rule", "severity", "state", "group":
		return l.C(text)
	case "verdict":
		return l.T(text)
	}
	if text == "none" || text == "all" { // of any dimension
		return l.C(text)
	}
	return text
}
