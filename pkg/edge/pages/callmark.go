package pages

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"go.uber.org/zap"
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/stream/callmark"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors/customer"
)

// The path to which buttons send a mark, and the parameters of the address of the page that follows.
const (
	callMarkPath = "/mark"
	markedParam  = "marked" // the customer who was marked
	entryParam   = "entry"  // offset of the mark in the ledger
)

// snoozeFor is what the button says: of other times a command and the API know.
const snoozeFor = "7d"

// callMark takes a mark from a form and shows the page from which it came. The answer is a redirect, so that loading that page again marks nobody.
func (p *pages) callMark(w http.ResponseWriter, r *http.Request) {
	p = p.readBy(r)
	//mutant:marks-for-foreign-pages if false && $
	if err := p.origins.Check(r); err != nil {
		p.write(w, r, page{}, content{status: http.StatusForbidden, title: p.T("Not marked"), body: p.notice("Not marked", "A page of another host has sent this. Mark customers on the pages of Mainstay itself; a proxy before them must pass the header Host on.")})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	id, s := r.PostFormValue("id"), callmark.Statement{Mark: r.PostFormValue("mark"), Note: r.PostFormValue("note"), By: callmark.NameOf(server.CallerOf(r).Name)}
	if s.Mark == callmark.Snooze {
		s.Until = snoozeFor
	}
	e, err := p.Mark(r.Context(), id, s)
	if err != nil {
		p.write(w, r, page{}, p.notMarked(r, id, err))
		return
	}
	to, query := "/", url.Values{markedParam: {e.Customer}, entryParam: {strconv.FormatInt(e.Place.Offset, 10)}}
	if r.PostFormValue("page") == "customer" {
		to, query = "/customer", url.Values{"id": {e.Customer}, markedParam: {e.Customer}, entryParam: query[entryParam]}
	} else {
		for _, name := range []string{"capacity", "all"} {
			if value := r.PostFormValue(name); value != "" {
				query.Set(name, value)
			}
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to+"?"+query.Encode(), http.StatusSeeOther)
}

func (p *pages) notMarked(r *http.Request, id string, err error) content {
	var wrong *callmark.FieldError
	switch {
	case errors.As(err, &wrong):
		return content{status: http.StatusBadRequest, title: p.T("Not marked"), body: []g.Node{h.Section(
			h.Class("card notice"), h.H1(p.text("Not marked")),
			h.P(h.Class("soft"), p.foreign(sentence(wrong.Error())), g.Text(" "), p.text("Go back, and try again.")),
		)}}
	case errors.Is(err, lookup.ErrUnknownCustomer):
		return p.noSuchCustomer(id)
	}
	if r.Context().Err() == nil {
		p.Log.Warn("a customer could not be marked", zap.Error(err))
	}
	return content{status: http.StatusServiceUnavailable, title: p.T("Not marked"), body: p.notice("Perhaps not marked", "Redis or Kafka did not answer, so the mark may be kept or not. Go back, and mark the customer again: it does no harm.")}
}

// marked says what has become of the mark that the page's address names, by what Redis has of the customer: nothing that is shown comes from the address.
func (p *pages) marked(r *http.Request, back backTo) (g.Node, bool) {
	id := r.URL.Query().Get(markedParam)
	entry, err := strconv.ParseInt(r.URL.Query().Get(entryParam), 10, 64)
	if id == "" || err != nil {
		return nil, false
	}
	profile, err := p.Views.Profile(r.Context(), id)
	if err != nil { // the page itself says what is wrong
		return nil, false
	}
	status := func(body ...g.Node) g.Node { return h.Div(h.Class("card marked"), h.Role("status"), g.Group(body)) }
	if profile.Explanation.Ledger.Offset < entry {
		return status(name(profile.Scores.Customer), p.text(": the mark is in the ledger. It shows here in some seconds.")), true
	}
	if err := p.Views.Refresh(r.Context(), id); err != nil {
		return nil, false
	}
	return status(h.Span(linked(profile.Scores.Customer), g.Text(": "), p.markText(&profile.Listed)), p.markButtons(r, &profile.Listed, back)), false
}

// markText says which mark a customer has, and until when it leaves them out of the list.
func (p *pages) markText(l *lookup.Listed) g.Node {
	mark := l.Scores.Mark
	if mark == nil {
		return p.text("Not marked.")
	}
	hides := p.hides(l)
	parts := g.Group{g.Text(p.N(mark.Word()))}
	if mark.By != "" {
		parts = append(parts, p.text(" by "), name(mark.By))
	}
	parts = append(parts, p.textf(" on %s", p.day(mark.At)))
	switch {
	case mark.IsSnoozed() && hides:
		parts = append(parts, p.text(", left out of Today until "), p.moment(mark.Until))
	case mark.IsSnoozed():
		parts = append(parts, p.text(" until "), p.moment(mark.Until))
	case hides:
		parts = append(parts, p.text(", left out of Today until "), p.moment(mark.At+p.Views.DoneFor.Milliseconds()), p.text(" or a new alert"))
	case l.Scores.AlertedSinceMark:
		parts = append(parts, p.text("; an alert was raised since"))
	}
	if mark.Note != "" {
		parts = append(parts, g.Text(": "), name(mark.Note))
	}
	return append(parts, g.Text("."))
}

func (p *pages) hides(l *lookup.Listed) bool {
	return (&lookup.Hiding{Done: p.Views.DoneFor}).Hides(l)
}

// backTo is the page to which a button leads: the fields of its form.
type backTo map[string]string

// markButtons are the marks that can be made now. Who may not mark gets none.
func (p *pages) markButtons(r *http.Request, l *lookup.Listed, back backTo, fields ...g.Node) g.Node {
	if !server.CallerOf(r).May(server.ScopeMarks) {
		return nil
	}
	id := l.Scores.Customer
	button := func(mark, text string) g.Node {
		return h.Button(h.Name("mark"), h.Value(mark), g.Attr("aria-label", p.T(text)+": "+shown(id)), p.text(text))
	}
	form := g.Group{h.Input(h.Type("hidden"), h.Name("id"), h.Value(id))}
	for _, field := range []string{"page", "capacity", "all"} {
		if value := back[field]; value != "" {
			form = append(form, h.Input(h.Type("hidden"), h.Name(field), h.Value(value)))
		}
	}
	form = append(form, fields...)
	if p.hides(l) {
		return h.Form(h.Class("marks"), h.Method("post"), h.Action(callMarkPath), form, button(callmark.Clear, "Undo"))
	}
	return h.Form(h.Class("marks"), h.Method("post"), h.Action(callMarkPath), form, button(callmark.Done, "Done"), button(callmark.Snooze, "Snooze a week"))
}

// markCard is the card of a customer's mark, with a field for a note.
func (p *pages) markCard(r *http.Request, l *lookup.Listed) g.Node {
	var note []g.Node
	if !p.hides(l) {
		note = append(note, h.Input(h.Type("text"), h.Name("note"), h.MaxLength(strconv.Itoa(customer.MostMarkNote)), h.Placeholder(p.T("Note")), g.Attr("aria-label", p.T("Note")), h.Dir("auto"), h.AutoComplete("off")))
	}
	return p.card("List of calls", h.P(p.markText(l)), p.markButtons(r, l, backTo{"page": "customer"}, note...))
}
