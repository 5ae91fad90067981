package event

// name is a member name that some field is read from.
type name uint8

const (
	nUnknown name = iota
	nEventID
	nMessageID
	nType
	nEvent
	nOccurredAt
	nTimestamp
	nTime
	nCustomerID
	nUserID
	nSource
	nTest
	nOrderID
	nTransactionID
	nID
	nTotal
	nTotalPrice
	nValue
	nRevenue
	nCurrency
	nSubtotal
	nTax
	nShipping
	nStatus
	nUpdatedAt
	nCancelledAt
	nRefunds
	nKind
	nRefundID
	nSubscriptionID
	nEffectiveAt
	nCancelReason
	nReferralID
	nReferrer
	nAdvocate
	nReferred
	nFriend
	nResponseID
	nSurveyID
	nSurveyType
	nScore
	nComment
	nCreatedAt
	nExcluded
	nDimension
	nSpecversion
	nProperties
	nData
	names // how many there are
)

const _ = uint64(1) << (names - 1) // they fit a bit set

var texts = [names]string{
	nEventID: "event_id", nMessageID: "messageId", nType: "type", nEvent: "event",
	nOccurredAt: "occurred_at", nTimestamp: "timestamp", nTime: "time",
	nCustomerID: "customer_id", nUserID: "userId", nSource: "source", nTest: "test",
	nOrderID: "order_id", nTransactionID: "transaction_id", nID: "id",
	nTotal: "total", nTotalPrice: "total_price", nValue: "value", nRevenue: "revenue",
	nCurrency: "currency", nSubtotal: "subtotal", nTax: "tax", nShipping: "shipping",
	nStatus: "status", nUpdatedAt: "updated_at", nCancelledAt: "cancelled_at", nRefunds: "refunds",
	nKind: "kind", nRefundID: "refund_id", nSubscriptionID: "subscription_id", nEffectiveAt: "effective_at",
	nCancelReason: "cancel_reason", nReferralID: "referral_id",
	nReferrer: "referrer_customer_id", nAdvocate: "advocate", nReferred: "referred_customer_id", nFriend: "friend",
	nResponseID: "response_id", nSurveyID: "survey_id", nSurveyType: "survey_type", nScore: "score",
	nComment: "comment", nCreatedAt: "created_at", nExcluded: "excluded_from_calculations", nDimension: "dimension",
	nSpecversion: "specversion", nProperties: "properties", nData: "data",
}

// nameOf is a switch, since the compiler makes a better table of it than a map is.
func nameOf(key []byte) name {
	switch string(key) {
	case "event_id":
		return nEventID
	case "messageId":
		return nMessageID
	case "type":
		return nType
	case "event":
		return nEvent
	case "occurred_at":
		return nOccurredAt
	case "timestamp":
		return nTimestamp
	case "time":
		return nTime
	case "customer_id":
		return nCustomerID
	case "userId":
		return nUserID
	case "source":
		return nSource
	case "test":
		return nTest
	case "order_id":
		return nOrderID
	case "transaction_id":
		return nTransactionID
	case "id":
		return nID
	case "total":
		return nTotal
	case "total_price":
		return nTotalPrice
	case "value":
		return nValue
	case "revenue":
		return nRevenue
	case "currency":
		return nCurrency
	case "subtotal":
		return nSubtotal
	case "tax":
		return nTax
	case "shipping":
		return nShipping
	case "status":
		return nStatus
	case "updated_at":
		return nUpdatedAt
	case "cancelled_at":
		return nCancelledAt
	case "refunds":
		return nRefunds
	case "kind":
		return nKind
	case "refund_id":
		return nRefundID
	case "subscription_id":
		return nSubscriptionID
	case "effective_at":
		return nEffectiveAt
	case "cancel_reason":
		return nCancelReason
	case "referral_id":
		return nReferralID
	case "referrer_customer_id":
		return nReferrer
	case "advocate":
		return nAdvocate
	case "referred_customer_id":
		return nReferred
	case "friend":
		return nFriend
	case "response_id":
		return nResponseID
	case "survey_id":
		return nSurveyID
	case "survey_type":
		return nSurveyType
	case "score":
		return nScore
	case "comment":
		return nComment
	case "created_at":
		return nCreatedAt
	case "excluded_from_calculations":
		return nExcluded
	case "dimension":
		return nDimension
	case "specversion":
		return nSpecversion
	case "properties":
		return nProperties
	case "data":
		return nData
	}
	return nUnknown
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

// field is what is read, under the names in which it may come.
type field struct {
	plain     string
	names     []name // the plain one first
	mask      uint64 // of names
	attribute attribute
}

func named(plain name, a attribute, aliases ...name) *field {
	f := &field{plain: texts[plain], names: append([]name{plain}, aliases...), attribute: a}
	for _, n := range f.names {
		f.mask |= 1 << n
	}
	return f
}

var (
	fEventID        = named(nEventID, ceID, nMessageID)
	fType           = named(nType, ceType, nEvent)
	fOccurredAt     = named(nOccurredAt, ceTime, nTimestamp, nTime)
	fCustomerID     = named(nCustomerID, noAttribute, nUserID)
	fSource         = named(nSource, ceSource)
	fTest           = named(nTest, noAttribute)
	fOrderID        = named(nOrderID, noAttribute, nTransactionID, nID)
	fTotal          = named(nTotal, noAttribute, nTotalPrice, nValue, nRevenue)
	fCurrency       = named(nCurrency, noAttribute)
	fSubtotal       = named(nSubtotal, noAttribute)
	fTax            = named(nTax, noAttribute)
	fShipping       = named(nShipping, noAttribute)
	fStatus         = named(nStatus, noAttribute)
	fUpdatedAt      = named(nUpdatedAt, noAttribute)
	fCancelledAt    = named(nCancelledAt, noAttribute)
	fRefunds        = named(nRefunds, noAttribute)
	fKind           = named(nKind, noAttribute)
	fCancelledOrder = named(nOrderID, noAttribute, nTransactionID) // a cancellation's own id is not its order's
	fRefundID       = named(nRefundID, noAttribute)
	fSubscriptionID = named(nSubscriptionID, noAttribute)
	fEffectiveAt    = named(nEffectiveAt, noAttribute)
	fCancelReason   = named(nCancelReason, noAttribute)
	fReferralID     = named(nReferralID, noAttribute)
	fReferrer       = named(nReferrer, noAttribute, nAdvocate)
	fReferred       = named(nReferred, noAttribute, nFriend)
	fResponseID     = named(nResponseID, noAttribute)
	fSurveyID       = named(nSurveyID, noAttribute)
	fSurveyType     = named(nSurveyType, noAttribute)
	fScore          = named(nScore, noAttribute)
	fComment        = named(nComment, noAttribute)
	fCreatedAt      = named(nCreatedAt, noAttribute)
	fExcluded       = named(nExcluded, noAttribute)
	fDimension      = named(nDimension, noAttribute)
	fSpecversion    = named(nSpecversion, noAttribute)
	fData           = named(nData, noAttribute)

	// Within an element of refunds.
	fPartRefundID   = &field{plain: "refunds.refund_id", names: []name{nRefundID}, mask: 1 << nRefundID}
	fPartTotal      = &field{plain: "refunds.total", names: []name{nTotal}, mask: 1 << nTotal}
	fPartOccurredAt = &field{plain: "refunds.occurred_at", names: []name{nOccurredAt}, mask: 1 << nOccurredAt}
)

// fRecord stands for the record as a whole.
var fRecord = &field{}

// typeNames are what a type may be called, in lower case.
var typeNames = [...]struct {
	text string
	kind Kind
}{
	{"purchase", Purchase},
	{"order completed", Purchase},
	{"order.completed", Purchase},
	{"cancellation", Cancellation},
	{"referral", Referral},
	{"survey", Survey},
}

var referralStatuses = [...]string{"", "pending", "approved", "voided"}
