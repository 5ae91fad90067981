package ledger

// Details are those details of a purchase of which folding keeps something. Empty: not stated.
type Details struct {
	Channel, Country, Coupon, Subscription, Source, HowHeard string
	Member                                                   bool
	MemberStated                                             bool

	products []byte // encoded, from the first on
}

// Details reads the details of the purchase that Read decoded last into d; false if it has none. The strings alias the payload, as those
// of Read do. Details that are not a valid message state nothing: a purchase is never refused for them. It allocates nothing, and does not
// look at the products.
func (r *EventReader) Details(d *Details) bool {
	if len(r.details) == 0 {
		return false
	}
	*d = Details{}
	f := fields{rest: r.details}
	for at := f.rest; f.next(); at = f.rest {
		switch {
		case f.is(1, sized):
			d.Channel = alias(f.bytes)
		case f.is(3, sized):
			d.Country = alias(f.bytes)
		case f.is(4, sized):
			d.Coupon = alias(f.bytes)
		case f.is(6, varint):
			d.Member = f.value != 0
		case f.is(7, varint):
			d.MemberStated = f.value != 0
		case f.is(8, sized):
			d.Subscription = alias(f.bytes)
		case f.is(10, sized):
			d.Source, d.HowHeard = textOf(f.bytes, 1), textOf(f.bytes, 4)
		case f.is(11, sized): // every writer puts the products and their sums last
			d.products = at
			return true
		}
	}
	return f.err == nil
}

// textOf returns a text field of a message; empty if it has none.
func textOf(message []byte, number int) (text string) {
	f := fields{rest: message}
	for f.next() {
		if f.is(number, sized) {
			text = alias(f.bytes)
		}
	}
	return text
}

// Fields of Product.
const (
	productCategory = 2
	productBrand    = 3
)

// Category returns the category of the product with the greatest net amount that states one, of several the first; empty if none does.
func (d *Details) Category() string { return d.dearest(productCategory) }

// Brand returns the brand of the product with the greatest net amount that states one, of several the first; empty if none does.
func (d *Details) Brand() string { return d.dearest(productBrand) }

func (d *Details) dearest(number int) (text string) {
	most := int64(-1)
	for f := (fields{rest: d.products}); f.next() && f.is(11, sized); {
		stated, net := "", int64(0)
		for p := (fields{rest: f.bytes}); p.next(); {
			switch {
			case p.is(number, sized):
				stated = alias(p.bytes)
			case p.is(5, varint):
				net = zigzag(p.value)
			}
		}
		if stated != "" && net > most {
			text, most = stated, net
		}
	}
	return text
}
