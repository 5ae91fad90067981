package customer

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Response is the newest update of a survey response.
type Response struct {
	ID        string            // unique within Type
	SurveyID  string            // empty: not stated
	Type      ledger.SurveyType // only responses of one type are compared
	Score     int32             // on the scale of Type
	CreatedAt int64             // ms
	UpdatedAt int64             // ms
	Excluded  bool              // the shop excludes the response from all scores
	Comment   string            // empty: none
	Dimension string            // empty: none
}

// mostResponses bounds the responses kept of one type, to the newest.
const mostResponses = 32

// RecordResponse records a survey response; of several updates the newest holds.
func (s *State) RecordResponse(v *ledger.Survey) Change {
	return s.addResponse(Response{
		ID: v.GetResponseId(), SurveyID: v.GetSurveyId(), Type: v.GetType(), Score: v.GetScore(),
		CreatedAt: v.GetCreatedAt(), UpdatedAt: v.GetUpdatedAt(), Excluded: v.GetExcluded(), Comment: v.GetComment(), Dimension: v.GetDimension(),
	})
}

func (s *State) addResponse(next Response) Change {
	if i := slices.IndexFunc(s.responses, func(r Response) bool { return r.ID == next.ID && r.Type == next.Type }); i >= 0 {
		known := s.responses[i]
		switch {
		case known == next || next.UpdatedAt < known.UpdatedAt:
			return Change{Duplicate: true}
		case next.UpdatedAt == known.UpdatedAt:
			return rejected(output.EventConflict)
		}
		s.responses = slices.Delete(s.responses, i, i+1)
	}
	next.ID, next.SurveyID = strings.Clone(next.ID), strings.Clone(next.SurveyID)
	next.Comment, next.Dimension = strings.Clone(next.Comment), strings.Clone(next.Dimension)
	i, _ := slices.BinarySearchFunc(s.responses, next, compareResponses)
	s.responses = slices.Insert(s.responses, i, next)
	first := slices.IndexFunc(s.responses, func(r Response) bool { return r.Type == next.Type })
	last := first
	for last < len(s.responses) && s.responses[last].Type == next.Type {
		last++
	}
	if last-first > mostResponses {
		s.responses = slices.Delete(s.responses, first, last-mostResponses)
	}
	return Change{}
}

func compareResponses(a, b Response) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.CreatedAt, b.CreatedAt), strings.Compare(a.ID, b.ID))
}

// Responses returns the responses of one type, oldest first. They must not be changed.
func (s *State) Responses(of ledger.SurveyType) []Response {
	first := 0
	for first < len(s.responses) && s.responses[first].Type < of {
		first++
	}
	last := first
	for last < len(s.responses) && s.responses[last].Type == of {
		last++
	}
	return s.responses[first:last]
}
