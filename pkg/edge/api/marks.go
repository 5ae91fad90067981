package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/stream/callmark"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
)

const markPath = "/v1/customers/{id}/mark"

func markRoute(id parameter) route {
	return route{
		path: markPath, name: "markCustomer", scope: server.ScopeMarks, writes: true, response: markAnswer{}, problems: []kind{unknownCustomer, noStateYet, copying},
		summary: "Marks a customer on the list of calls as done or snoozed",
		about: "The same as `mainstay customer mark`. The mark is an entry of the ledger: it is answered once Kafka has acknowledged it, with 202 if the " +
			"list of calls does not show it yet. The last mark holds, so a request that got no answer is sent again.",
		parameters: []parameter{
			id,
			{name: "mark", about: "What was done: clear takes the mark from before back.", inBody: true, required: true, oneOf: callmark.Marks()},
			{name: "until", about: "End of a snooze: days from the ledger's time on, a day in its time zone, or RFC 3339; at most a year. Only of a snooze.", inBody: true, example: "7d"},
			{name: "by", about: "Who says so; by default the name of the token.", inBody: true, most: customer.MostMarkBy, example: "Ann"},
			{name: "note", about: "A note.", inBody: true, most: customer.MostMarkNote},
		},
		answer: (*api).answerMark,
	}
}

type markAnswer struct {
	Customer string           `json:"customer_id" about:"Who was marked: of a customer who was merged, the one who remains"`
	Mark     string           `json:"mark" about:"done, snooze or clear"`
	Until    *string          `json:"until" about:"End of the snooze"`
	Ledger   processors.Place `json:"ledger" about:"The entry"`
	Folded   bool             `json:"folded" about:"Answers have the mark; otherwise they do as soon as the fold has come to the entry"`
}

func (m markAnswer) status() int {
	if m.Folded {
		return http.StatusOK
	}
	return http.StatusAccepted
}

func (a *api) answerMark(ctx context.Context, args arguments) (any, error) {
	e, err := a.mark(ctx, args["id"], callmark.Statement{Mark: args["mark"], Until: args["until"], By: args["by"], Note: args["note"]})
	if err != nil {
		return nil, err
	}
	answer := markAnswer{Customer: e.Customer, Mark: args["mark"], Ledger: processors.Place(e.Place), Folded: e.Folded}
	if until := e.Mark.GetUntil(); until != 0 {
		answer.Until = new(moment(until))
	}
	return answer, nil
}

// readBody adds the fields of the body to the arguments. What the route does not declare is refused.
func (a *api) readBody(w http.ResponseWriter, request *http.Request, r *route, all arguments) error {
	//mutant:api-writes-for-foreign-pages if false && $
	if err := a.origins.Check(request); err != nil {
		return refused(foreignOrigin, "a browser sent this for a page of another host")
	}
	if kind, _, err := mime.ParseMediaType(request.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return refused(unsupportedType, "send a JSON object, with Content-Type: application/json")
	}
	const most = 8 << 10
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, most))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return refused(bodyTooLarge, fmt.Sprintf("at most %d bytes are read", most))
	}
	sent := map[string]string{}
	if err == nil {
		err = json.Unmarshal(body, &sent)
	}
	if err != nil {
		return refused(badBody, "send a JSON object whose fields are texts")
	}
	names := []string{}
	for _, p := range r.parameters {
		if !p.inBody {
			continue
		}
		names = append(names, p.name)
		value, given := sent[p.name]
		if all[p.name] = value; !given && !p.required {
			continue
		}
		if err := p.check(value); err != nil {
			return err
		}
	}
	for name := range sent {
		if !slices.Contains(names, name) {
			return refused(unknownParameter, fmt.Sprintf("%.40q is no field of the body, which has %s", name, strings.Join(names, ", ")))
		}
	}
	all["by"] = cmp.Or(all["by"], callmark.NameOf(server.CallerOf(request).Name))
	return nil
}
