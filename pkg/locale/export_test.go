package locale

// Each calls visit with each text and name that the language translates.
func (l *Locale) Each(visit func(text, translated string)) {
	for _, catalogue := range []map[string]string{l.texts, l.names} {
		for text, translated := range catalogue {
			visit(text, translated)
		}
	}
}
