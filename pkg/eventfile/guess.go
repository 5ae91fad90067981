package eventfile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/schemas/event"
)

// MissingColumnsError says that a file has no columns for fields that every row needs. A guess is offered with it; it is the caller's to take it.
type MissingColumnsError struct {
	Fields []string // that have no column
	Header []string

	// Guess maps the fields whose columns are known by usual names. Lines are those of the guess.
	Guess map[string]string
	Lines Lines
	// Competing are columns of which each could be a field's; none of them is guessed.
	Competing map[string][]string
}

// Complete reports whether the guess has all fields that a row needs.
func (e *MissingColumnsError) Complete() bool {
	for _, name := range e.Fields {
		if e.Guess[name] == "" {
			return false
		}
	}
	return len(e.Competing) == 0
}

// Error names the flag that resolves it, with the guess.
func (e *MissingColumnsError) Error() string {
	columns := maps.Clone(e.Guess)
	noun := "field"
	if len(e.Fields) > 1 {
		noun = "fields"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "event file: no column for the %s %s: give --map %s", noun, strings.Join(e.Fields, ", "), e.flag(columns))
	if e.Lines != LinesUnknown {
		text.WriteString(" --lines " + string(e.Lines))
	}
	if len(columns) > 0 {
		text.WriteString(", of which the columns are guessed")
	}
	for _, name := range slices.Sorted(maps.Keys(e.Competing)) {
		fmt.Fprintf(&text, "; for %s the columns %s compete", name, strings.Join(quotedNames(e.Competing[name]), " and "))
	}
	return text.String() + "; the columns are " + shortened(strings.Join(e.Header, ", "), 400)
}

// flag is the value of --map: the guess, and COLUMN for what is still to be filled in.
func (e *MissingColumnsError) flag(columns map[string]string) string {
	var open []string
	for _, name := range e.Fields {
		if columns[name] == "" {
			open = append(open, name+"=COLUMN")
		}
	}
	if len(columns) == 0 {
		return strings.Join(open, ",")
	}
	return "'" + strings.Join(append([]string{MapText(columns)}, open...), ",") + "'"
}

func quotedNames(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = fmt.Sprintf("%q", name)
	}
	return all
}

// guesses reports whether an error offers columns for all fields that a row needs.
func guesses(err error) bool {
	missing := (*MissingColumnsError)(nil)
	return errors.As(err, &missing) && missing.Complete()
}

// usualNames are the names under which files have the fields of a purchase, as plainName writes them, in tiers: one column of the first tier that
// has any is the field's, and two columns of one tier compete.
var usualNames = []struct { //nolint:gochecknoglobals // a table
	field string
	tiers []string
}{
	{"customer_id", []string{
		"customerid customernumber customerno customercode custid clientid clientnumber userid memberid buyerid shopperid accountid contactid " +
			"kundennummer kundennr kundenid شناسهمشتری کدمشتری شمارهمشتری شناسهکاربر کدکاربر",
		"customeremail customeremailaddress buyeremail useremail clientemail contactemail email emailaddress mail emailbilling billingemail billingemailaddress " +
			"kundenemail ایمیل ایمیلمشتری پستالکترونیک پستالکترونیکی",
		"customer client buyer shopper user member kunde مشتری خریدار کاربر",
	}},
	{"order_id", []string{
		"orderid ordernumber orderno ordercode orderref orderreference ordername purchaseid invoiceid invoicenumber invoiceno transactionid transactionnumber saleid " +
			"receiptid receiptnumber bestellnummer bestellnr auftragsnummer شمارهسفارش کدسفارش شناسهسفارش شمارهفاکتور",
		"order invoice transaction receipt bestellung سفارش فاکتور",
	}},
	{"occurred_at", []string{
		"orderdate orderdatetime ordertime orderedat orderedon orderplaced orderplacedat dateordered placedat placedon purchasedate purchasedat purchasedon dateofpurchase " +
			"bestelldatum تاریخسفارش تاریخخرید زمانسفارش",
		"createdat createdon created createddate datecreated creationdate transactiondate invoicedate saledate salesdate receiptdate " +
			"rechnungsdatum تاریخثبت تاریخایجاد تاریخفاکتور",
		"date datetime dateandtime time timestamp day datum تاریخ زمان",
	}},
	{"total", []string{
		"ordertotal ordertotalamount orderamount ordervalue totalprice totalamount totalvalue totalpaid grandtotal amountpaid ordergrandtotal total totalincvat totalinclvat " +
			"gesamtbetrag gesamtsumme gesamtpreis مبلغکل مبلغسفارش جمعکل مبلغکلسفارش مبلغنهایی مبلغپرداختی",
		"amount revenue value sales sale sum price paid betrag summe مبلغ قیمتکل",
	}},
	{"currency", []string{"currency currencycode ordercurrency währung waehrung ارز واحدپول واحدارز"}},
	{"status", []string{"orderstatus status وضعیتسفارش وضعیت", "financialstatus paymentstatus وضعیتپرداخت"}},
	{refunded, []string{"refundedamount amountrefunded refundedtotal totalrefunded refundamount refundtotal orderrefundamount مبلغبازگشتی مبلغاسترداد"}},
}

// The parts of a total that a file states by line.
const (
	usualQuantities = "quantity qty quantityordered units menge anzahl تعداد"
	usualPrices     = "unitprice itemprice priceperunit pricepereach einzelpreis stückpreis قیمتواحد price preis قیمت"
)

// guess fills in the columns that have usual names, for fields that have none yet.
func (e *MissingColumnsError) guess(m *Mapping, fields []field, bound []binding) {
	if m.Type != event.Purchase.String() || m.NoHeader {
		return
	}
	e.Guess, e.Competing = maps.Clone(m.Columns), map[string][]string{}
	if e.Guess == nil {
		e.Guess = map[string]string{}
	}
	quantity, price := e.named(usualQuantities), e.named(usualPrices)
	for _, usual := range usualNames {
		i := slices.IndexFunc(fields, func(f field) bool { return f.Name == usual.field })
		if bound[i].index >= 0 || bound[i].constant != "" || bound[i].optional {
			continue
		}
		for tier, names := range usual.tiers {
			found := e.named(names)
			if usual.field == "total" && tier > 0 && len(quantity) == 1 && len(price) == 1 && (len(found) == 0 || slices.Equal(found, price)) {
				e.Guess["total"], e.Lines = quantity[0]+"*"+price[0], LinesSum // a price beside a quantity is that of one piece
				break
			}
			//mutant:guess-when-two-compete insert found = found[:min(len(found), 1)]
			if len(found) == 1 {
				e.Guess[usual.field] = found[0]
			}
			if len(found) > 1 {
				e.Competing[usual.field] = found
			}
			if len(found) > 0 {
				break
			}
		}
	}
	if m.Lines != LinesUnknown {
		e.Lines = m.Lines
	}
}

// named returns the columns that have one of several plain names.
func (e *MissingColumnsError) named(names string) []string {
	var found []string
	for _, column := range e.Header {
		if slices.Contains(strings.Fields(names), plainName(column)) {
			found = append(found, column)
		}
	}
	return found
}
