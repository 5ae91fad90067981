package pages

import (
	"net/url"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/locale"
)

func (p *pages) document(at page, c content) g.Node {
	return h.Doctype(h.HTML(
		h.Lang(p.Tag), h.Dir(p.Direction()),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			g.If(c.refresh > 0, h.Meta(g.Attr("http-equiv", "refresh"), h.Content(strconv.Itoa(c.refresh)))),
			h.TitleEl(g.Text(c.title+" · Mainstay")),
			h.Link(h.Rel("icon"), h.Type("image/svg+xml"), h.Href(addressOf(markPath, mark))),
			h.Link(h.Rel("stylesheet"), h.Href(addressOf(stylePath, style))),
			g.If(c.script != "", h.Script(h.Src(c.script), h.Defer())),
		),
		h.Body(
			h.A(h.Class("skip"), h.Href("#content"), p.text("Skip to the content")),
			h.Header(h.Class("bar"), h.Div(
				h.Class("wide"),
				h.A(h.Class("brand"), h.Href("/"), h.Img(h.Src(addressOf(markPath, mark)), h.Alt(""), h.Width("22"), h.Height("22")), g.Text("Mainstay")),
				h.Nav(g.Attr("aria-label", p.T("Pages")), g.Map(menu(), func(one page) g.Node {
					return h.A(h.Href(one.path), g.If(one.path == at.path, g.Attr("aria-current", "page")), p.text(one.name))
				})),
				p.search(c.search),
			)),
			h.Main(h.ID("content"), h.Class("wide"), g.Group(c.body)),
			h.Footer(h.Class("wide"), p.languages(c.address)),
		),
	))
}

// languages are links to the same page in the other languages, each in its own words.
func (p *pages) languages(address *url.URL) g.Node {
	return h.Nav(g.Attr("aria-label", p.T("Language")), g.Map(locale.All(), func(l *locale.Locale) g.Node {
		if l.Tag == p.Tag {
			return nil
		}
		query := address.Query()
		query.Set(localeParameter, l.Tag)
		return h.A(h.Href(address.Path+"?"+query.Encode()), h.Lang(l.Tag), g.Attr("hreflang", l.Tag), h.Dir(l.Direction()), g.Text(l.Name))
	}))
}

func (p *pages) search(value string) g.Node {
	return h.Form(
		h.Class("search"), h.Role("search"), h.Action("/customer"), h.Method("get"),
		h.Input(h.Type("search"), h.Name("id"), h.Value(value), h.Placeholder(p.T("Customer id")), g.Attr("aria-label", p.T("Customer id")), h.Dir("auto"), h.AutoComplete("off"), g.Attr("spellcheck", "false")),
		h.Button(h.Type("submit"), p.text("Find")),
	)
}

// heading is the title of a page with a line that says what is shown, and as of when.
func heading(title g.Node, about ...g.Node) g.Node {
	return h.Div(h.Class("heading"), h.H1(title), h.P(h.Class("soft"), g.Group(about)))
}

// card is a section with a heading.
func (p *pages) card(title string, body ...g.Node) g.Node {
	return h.Section(h.Class("card"), h.H2(p.text(title)), g.Group(body))
}

func (p *pages) notice(title, text string) []g.Node {
	return []g.Node{h.Section(h.Class("card notice"), h.H1(p.text(title)), h.P(h.Class("soft"), p.text(text)))}
}

func (p *pages) empty(text string) g.Node { return h.P(h.Class("soft empty"), p.text(text)) }

// figure is a number with its name.
type figure struct {
	name, value, unit, note string
}

func (p *pages) figures(all ...figure) g.Node {
	return h.Dl(h.Class("figures"), g.Map(all, func(f figure) g.Node {
		return h.Div(
			h.Dt(p.text(f.name)),
			h.Dd(h.Span(h.Class("value"), g.Text(f.value)), g.If(f.unit != "" && f.value != unknown, h.Span(h.Class("unit"), g.Text(" "+p.T(f.unit)))), g.If(f.note != "", h.Span(h.Class("note"), p.text(f.note)))),
		)
	}))
}

// cell is the head of a column; its label is shown where the table is too narrow to have a head.
type cell struct {
	label  string
	number bool
}

func (p *pages) table(caption string, head []cell, rows [][]g.Node) g.Node {
	class := func(c cell) g.Node { return g.If(c.number, h.Class("number")) }
	return h.Table(
		h.Caption(h.Class("hidden"), p.text(caption)),
		h.THead(h.Tr(g.Map(head, func(c cell) g.Node { return h.Th(h.Scope("col"), class(c), p.text(c.label)) }))),
		h.TBody(g.Map(rows, func(row []g.Node) g.Node {
			var cells []g.Node
			for i, node := range row {
				if i == 0 {
					cells = append(cells, h.Th(h.Scope("row"), class(head[i]), node))
					continue
				}
				cells = append(cells, h.Td(class(head[i]), h.Data("label", p.T(head[i].label)), h.Div(node)))
			}
			return h.Tr(cells...)
		})),
	)
}

func (p *pages) riskChip(risk string) g.Node {
	return h.Span(h.Class("chip risk-"+risk), g.Text(p.C(risk)))
}

func (p *pages) chip(text string) g.Node { return h.Span(h.Class("chip"), p.text(text)) }

// share is a row of a distribution: a name, a number, and a bar of its part of the whole. SVG, since the policy allows no style attributes.
func share(class string, part, whole float64) g.Node {
	width := 0.0
	if whole > 0 {
		width = 100 * part / whole
	}
	return g.Rawf(`<svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="6"/><rect class="%s" width="%.2f" height="6"/></svg>`, class, width)
}
