// Package timestamp owns the text form of a time: it reads RFC 3339 with any offset and fraction, and writes RFC 3339 in UTC. Times
// are milliseconds since 1970-01-01 UTC.
//
// It refuses everything that is not exactly RFC 3339 (section 5.6), clocks and time zones.
package timestamp

// Parse reads RFC 3339. Digits below the millisecond are dropped. A leap second (23:59:60 UTC) is the second after it, as in Unix
// time.
func Parse(s []byte) (ms int64, ok bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	century, year := two(s[0:]), two(s[2:])
	month, day := two(s[5:]), two(s[8:])
	hour, minute, second := two(s[11:]), two(s[14:]), two(s[17:])
	if century|year|month|day|hour|minute|second < 0 {
		return 0, false
	}
	year += century * 100
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	fraction, rest, ok := milliseconds(s[19:])
	if !ok {
		return 0, false
	}
	offset, ok := offsetMinutes(rest)
	if !ok {
		return 0, false
	}
	minutes := (int64(days(year, month, day))*24+int64(hour))*60 + int64(minute) - int64(offset)
	if second == 60 && mod(minutes, 24*60) != 24*60-1 {
		return 0, false
	}
	return (minutes*60+int64(second))*1000 + int64(fraction), true
}

func milliseconds(s []byte) (ms int, rest []byte, ok bool) {
	if s[0] != '.' {
		return 0, s, true
	}
	i, unit := 1, 100
	for ; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		ms += int(s[i]-'0') * unit
		unit /= 10
	}
	return ms, s[i:], i > 1
}

func offsetMinutes(s []byte) (minutes int, ok bool) {
	if len(s) == 1 {
		return 0, s[0]|0x20 == 'z'
	}
	if len(s) != len("+00:00") || s[3] != ':' {
		return 0, false
	}
	hour, minute := two(s[1:]), two(s[4:])
	if hour|minute < 0 || hour > 23 || minute > 59 {
		return 0, false
	}
	switch s[0] {
	case '+':
		return hour*60 + minute, true
	case '-':
		return -hour*60 - minute, true
	}
	return 0, false
}

// two reads two digits; negative if they are not digits.
func two(s []byte) int {
	tens, ones := s[0]-'0', s[1]-'0'
	if tens > 9 || ones > 9 {
		return -1
	}
	return int(tens)*10 + int(ones)
}

// Append appends a time as RFC 3339 in UTC, with milliseconds unless they are 0. A time outside the years 0-9999, which RFC 3339
// cannot express, is written as the nearest one inside.
func Append(dst []byte, ms int64) []byte {
	ms = min(max(ms, earliest), latest)
	day, inDay := ms/dayMS, ms%dayMS
	if inDay < 0 {
		day, inDay = day-1, inDay+dayMS
	}
	year, month, dayOfMonth := date(int(day))
	fraction, second := int(inDay%1000), int(inDay/1000)
	minute := second / 60
	start := len(dst)
	dst = append(dst, "0000-00-00T00:00:00.000Z"...)
	text := dst[start:]
	put(text[0:], year/100)
	put(text[2:], year%100)
	put(text[5:], month)
	put(text[8:], dayOfMonth)
	put(text[11:], minute/60)
	put(text[14:], minute%60)
	put(text[17:], second%60)
	if fraction == 0 {
		text[19] = 'Z'
		return dst[:start+20]
	}
	text[20] = digit(fraction / 100)
	put(text[21:], fraction%100)
	return dst
}

// AppendDay appends the day of a time in UTC, as 2006-01-02.
func AppendDay(dst []byte, ms int64) []byte {
	return Append(dst, ms)[:len(dst)+len("2006-01-02")]
}

// put writes a number below 100 as two digits.
func put(text []byte, n int) {
	tens := n / 10
	text[0], text[1] = digit(tens), digit(n-10*tens)
}

func digit(n int) byte {
	return '0' + byte(n) //nolint:gosec // 0 to 9
}

const (
	dayMS    = 24 * 60 * 60 * 1000
	earliest = -62167219200000 // 0000-01-01
	latest   = 253402300799999 // 9999-12-31T23:59:59.999
)

func daysIn(year, month int) int {
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return 29
	}
	return int("\x1f\x1c\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"[month-1])
}

// days returns the days since 1970-01-01 in the proleptic Gregorian calendar. It lets the year begin in March, so that the leap day
// is its last; 400 years are one era of 146,097 days.
func days(year, month, day int) int {
	if month <= 2 {
		year, month = year-1, month+12
	}
	era := floor(year, 400)
	ofEra := year - era*400
	return era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + (153*(month-3)+2)/5 + day - 1 - 719468
}

// date is the inverse of days.
func date(day int) (year, month, dayOfMonth int) {
	day += 719468
	era := floor(day, 146097)
	day -= era * 146097
	ofEra := (day - day/1460 + day/36524 - day/146096) / 365
	ofYear := day - (365*ofEra + ofEra/4 - ofEra/100)
	m := (5*ofYear + 2) / 153
	year, month, dayOfMonth = era*400+ofEra, m+3, ofYear-(153*m+2)/5+1
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, dayOfMonth
}

func floor(a, b int) int {
	if a < 0 {
		a -= b - 1
	}
	return a / b
}

func mod(a, b int64) int64 { return (a%b + b) % b }
