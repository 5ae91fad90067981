package event

// name is the number of a member name that some field is read from.
type name uint8

// nameSet is a set of names.
type nameSet [maxNames / 64]uint64

func (s *nameSet) has(n name) bool { return s[n/64%2]&(1<<(n%64)) != 0 }
func (s *nameSet) add(n name)      { s[n/64%2] |= 1 << (n % 64) }
func (s *nameSet) remove(n name)   { s[n/64%2] &^= 1 << (n % 64) }

// meets reports whether a name is in both sets.
func (s *nameSet) meets(other *nameSet) bool { return s[0]&other[0]|s[1]&other[1] != 0 }

// union returns the names of any of the sets.
func union(sets ...*nameSet) (all nameSet) {
	for _, s := range sets {
		all[0], all[1] = all[0]|s[0], all[1]|s[1]
	}
	return all
}

// Names that the walk over a record looks at itself. Names of fields follow, as their fields are declared.
const (
	nUnknown name = iota
	nSpecversion
	nProperties
	nData
	nType
	nID
	nSource
	nTime
	nRefunds
	firstFree

	maxNames = 128
)

// nameTable numbers the member names that are read. It is complete once the package is initialised.
type nameTable struct {
	texts [maxNames]string
	used  name
	slots [256]name // open addressing by hashName
}

// names are those of members of an event, partNames those of members of its inner objects: refunds, products, acquisition.
var names, partNames = newNameTable(), &nameTable{used: nUnknown + 1}

func newNameTable() *nameTable {
	t := &nameTable{used: nUnknown + 1}
	for n, text := range [firstFree]string{
		nSpecversion: "specversion", nProperties: "properties", nData: "data", nType: "type", nID: "id", nSource: "source", nTime: "time", nRefunds: "refunds",
	} {
		if text != "" && t.number(text) != name(n) {
			panic("event: the constants of names are out of order")
		}
	}
	return t
}

// hashName is a hash of a name's length and some of its bytes; text is not empty.
func hashName[T string | []byte](text T) uint8 {
	n := len(text)
	return uint8(n*31) ^ text[0]*7 ^ text[n/2]*13 ^ text[n-1]*29 //nolint:gosec // the low byte is the hash
}

// number returns the number of a name, a new one for a new name.
func (t *nameTable) number(text string) name {
	at := hashName(text)
	for ; t.slots[at] != nUnknown; at++ {
		if t.texts[t.slots[at]] == text {
			return t.slots[at]
		}
	}
	if t.used == maxNames {
		panic("event: more member names than a nameSet can hold")
	}
	t.slots[at], t.texts[t.used] = t.used, text
	t.used++
	return t.used - 1
}

// of returns the number of a member name, nUnknown for a name that no field is read from. A table that is made for the
// names takes half the time of a map.
func (t *nameTable) of(key []byte) name {
	if len(key) == 0 {
		return nUnknown
	}
	for at := hashName(key); ; at++ {
		if n := t.slots[at]; n == nUnknown || t.texts[n] == string(key) {
			return n
		}
	}
}

// attribute is a context attribute of CloudEvents.
type attribute uint8

const (
	noAttribute attribute = iota
	ceID
	ceType
	ceSource
	ceTime
	attributes
)

var (
	attributeTexts   = [attributes]string{ceID: "id", ceType: "type", ceSource: "source", ceTime: "time"}
	attributeHeaders = [attributes]string{ceID: "ce_id", ceType: "ce_type", ceSource: "ce_source", ceTime: "ce_time"}
	attributeNames   = [attributes]name{ceID: nID, ceType: nType, ceSource: nSource, ceTime: nTime}
)
