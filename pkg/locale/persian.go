package locale

import (
	_ "embed" // the catalogue
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/mainstay/mainstay/schemas/timeform"
)

//go:embed fa.texts.yaml
var persianTexts []byte

//go:embed fa.names.yaml
var persianNames []byte

// persian is the locale of Iran: the Solar Hijri calendar, the extended Arabic digits, and lines from right to left.
var persian = sync.OnceValue(func() *Locale { //nolint:gochecknoglobals // a computed constant
	return &Locale{
		Tag: "fa", Name: "فارسی", RightToLeft: true, texts: catalogue(persianTexts), names: catalogue(persianNames),
		// The mark before a sign keeps it to the left of the digits in a line from right to left, as the Unicode CLDR has it.
		numbers: &numbers{zero: '۰', group: "٬", decimal: "٫", plus: "\u200e+", minus: "\u200e−", percent: "٪"},
		dates: &dates{
			civil:     timeform.ToSolarHijri,
			months:    [12]string{"فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور", "مهر", "آبان", "آذر", "دی", "بهمن", "اسفند"},
			gregorian: [12]string{"ژانویهٔ", "فوریهٔ", "مارس", "آوریل", "مهٔ", "ژوئن", "ژوئیهٔ", "اوت", "سپتامبر", "اکتبر", "نوامبر", "دسامبر"},
		},
	}
})

// catalogue reads a file of translations, which a test reads as well: it cannot fail at run time.
func catalogue(file []byte) map[string]string {
	var all map[string]string
	if err := yaml.Unmarshal(file, &all); err != nil {
		panic(err)
	}
	return all
}
