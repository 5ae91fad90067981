package event

import (
	"strconv"
	"unicode/utf8"

	"github.com/mainstay/mainstay/schemas/ledger"
)

var (
	fSurveyType = declare(Field{
		Name: "survey_type", Format: Text, Codes: []string{"nps", "csat", "ces", "equity"}, Example: "nps", Flag: "type", Default: "nps",
		Doc: "nps (the default), csat, ces or equity; others are counted and skipped.",
	})
	anySurvey   = &Condition{fSurveyType, fSurveyType.Codes}
	fResponseID = declare(Field{
		Name: "response_id", Format: Identifier, Required: true, When: anySurvey, Identity: true, Example: "a-6001", Flag: "response", Default: Unique,
		Doc: "The response; an update of it replaces it.",
	})
	fSurveyID  = declare(Field{Name: "survey_id", Format: Identifier, When: anySurvey, Example: "nps-2026", Flag: "survey", Doc: "The survey."})
	fDimension = declare(Field{
		Name: "dimension", Format: Code, Codes: []string{"brand", "value", "relationship"}, Required: true, When: &Condition{fSurveyType, []string{"equity"}},
		Example: "brand", Flag: "dimension", Doc: "equity: brand, value or relationship.",
	})
	fScore = declare(Field{
		Name: "score", Format: Score, Required: true, When: anySurvey, Example: 9, Flag: "score", Doc: "A whole number: nps and equity 0-10, csat 1-5, ces 1-7.",
	})
	fSurveyedOrder = declare(Field{
		Name: "order_id", Aliases: []string{"transaction_id"}, Format: Detail, Optional: true, Example: "o-2001", Flag: "order", Doc: "Order that the survey is about; kept in the ledger.",
	})
	fSurveyedProduct = declare(Field{
		Name: "product_id", Aliases: []string{"item_id", "sku"}, Format: Detail, Optional: true, Example: "p-7", Flag: "product", Doc: "Product that the survey is about; kept in the ledger.",
	})
	fComment = declare(Field{
		Name: "comment", Optional: true, Example: "Fast delivery", Flag: "comment", Doc: "Dropped unless surveys.keep_comments.",
	})
	fCreatedAt = declare(Field{
		Name: "created_at", Format: Time, When: anySurvey, Example: "2026-03-01T12:00:00Z", Flag: "created-at", Doc: "When the response was given; by default occurred_at.",
	})
	fResponseUpdatedAt = declare(Field{
		Name: "updated_at", Format: Time, When: anySurvey, Example: "2026-03-02T09:00:00Z", Flag: "updated-at", Doc: "When the response was changed; the newest stands.",
	})
	fExcluded = declare(Field{
		Name: "excluded_from_calculations", Format: Flag, When: anySurvey, Example: false, Doc: "The response does not count.",
	})
)

var survey = Descriptor{
	Name: "survey", Topic: "surveys", Topics: "Topics of survey responses.",
	Title: "A response to a survey.", Types: []string{"survey"}, Customer: fCustomerID, Occurred: fOccurredAt,
	Fields:  withCommon(fCustomerID, fResponseID, fSurveyID, fSurveyType, fDimension, fScore, fSurveyedOrder, fSurveyedProduct, fComment, fCreatedAt, fResponseUpdatedAt, fExcluded),
	Example: "--customer me --score 9",
	read:    (*Decoder).readSurvey,
	facts: func(b *canonical, e *ledger.Event, c *common) {
		x := e.Survey
		b.text(x.ResponseId)
		b.text(x.SurveyId)
		b.number(int64(x.Type))
		b.number(int64(x.Score))
		b.time(x.CreatedAt, c.created)
		b.time(x.UpdatedAt, c.updated)
		b.boolean(x.Excluded)
		b.text(x.Dimension)
	},
	is: func(e *ledger.Event) bool { return e.Survey != nil },
}

func (d *Decoder) readSurvey(c *common) {
	r := &d.r
	x := &c.into.survey
	c.into.Event.Survey = x
	low, high, ok := d.scale(x, c)
	if !ok {
		return
	}
	x.ResponseId = d.required(fResponseID)
	x.SurveyId = r.id(fSurveyID, r.find(fSurveyID), maxID)
	x.Score = d.score(low, high)
	x.Dimension = ""
	if x.Type == ledger.SurveyType_SURVEY_TYPE_EQUITY {
		if i := d.oneOf(fDimension); i >= 0 {
			x.Dimension = fDimension.Codes[i]
		}
	}
	var created, updated bool
	if x.CreatedAt, created = r.time(fCreatedAt, r.find(fCreatedAt), d.now+ahead); !created {
		x.CreatedAt = c.into.Event.OccurredAt
		r.recordDefault("occurred_at", "")
	}
	if x.UpdatedAt, updated = r.time(fResponseUpdatedAt, r.find(fResponseUpdatedAt), d.now+ahead); !updated {
		x.UpdatedAt = x.CreatedAt
		r.recordDefault("created_at", "")
	}
	x.Excluded = r.boolean(fExcluded, r.find(fExcluded))
	//mutant:survey-subject-lost replace x.OrderId, x.ProductId = "", ""
	x.OrderId, x.ProductId = r.detail(r.find(fSurveyedOrder)), r.detail(r.find(fSurveyedProduct))
	x.Comment = ""
	if d.opts.KeepComments {
		x.Comment = d.comment(c)
	}
	c.created, c.updated = created, updated
	c.key = c.withOccurrence(key{what: "response:", id: x.ResponseId, at: x.UpdatedAt, timed: created || updated})
}

// scale reads the survey's type, and between what its scores lie. Types that are not known are skipped.
func (d *Decoder) scale(x *ledger.Survey, c *common) (low, high int64, ok bool) {
	r := &d.r
	v := r.find(fSurveyType)
	var buf [32]byte
	code := r.code(fSurveyType, v, &buf)
	if code == nil {
		x.Type = ledger.SurveyType_SURVEY_TYPE_NPS
		if v.tok == tokNone {
			r.recordDefault("the usual type", "nps")
		}
		return 0, 10, true
	}
	switch string(code) {
	case "nps":
		x.Type = ledger.SurveyType_SURVEY_TYPE_NPS
		return 0, 10, true
	case "csat":
		x.Type = ledger.SurveyType_SURVEY_TYPE_CSAT
		return 1, 5, true
	case "ces":
		x.Type = ledger.SurveyType_SURVEY_TYPE_CES
		return 1, 7, true
	case "equity":
		x.Type = ledger.SurveyType_SURVEY_TYPE_EQUITY
		return 0, 10, true
	}
	if r.refused == nil {
		c.into.Skip = SkipSurveyType
	}
	return 0, 0, false
}

func (d *Decoder) score(low, high int64) int32 {
	r := &d.r
	v := r.find(fScore)
	if !r.require(fScore, v) {
		return 0
	}
	score, rounded, ok := r.decimal(fScore, v, 0)
	switch {
	case !ok:
	case rounded:
		r.refuse(fScore, NotWhole, "")
	case score < low || score > high:
		r.refuse(fScore, OutOfRange, "from "+strconv.FormatInt(low, 10)+" to "+strconv.FormatInt(high, 10))
	default:
		r.recordValue(strconv.FormatInt(score, 10))
		return int32(score) //nolint:gosec // at most 10
	}
	return 0
}

func (d *Decoder) comment(c *common) string {
	v := d.r.find(fComment)
	if v.tok == tokString && len(v.text) > maxComment {
		end := maxComment
		for !utf8.RuneStart(v.text[end]) {
			end--
		}
		v.text, c.into.Cut = v.text[:end], true
	}
	return d.r.id(fComment, v, maxComment)
}
