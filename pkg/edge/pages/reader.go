package pages

import (
	"net/http"
	"time"

	"github.com/mainstay/mainstay/pkg/locale"
)

// localeParameter is the name of the parameter by which a reader chooses a locale, and of the cookie that remembers it.
const localeParameter = "locale"

// readBy returns the pages in the locale of whoever asks: what they choose now, what they have chosen before, or else what the setting says.
func (p *pages) readBy(r *http.Request) *pages {
	read := *p
	read.Locale = locale.Named(r.URL.Query().Get(localeParameter))
	if cookie, err := r.Cookie(localeParameter); err == nil && read.Locale == nil {
		read.Locale = locale.Named(cookie.Value)
	}
	if read.Locale == nil && p.Reader != locale.Auto {
		read.Locale = locale.Named(p.Reader)
	}
	if read.Locale == nil {
		read.Locale = locale.Preferred(r.Header.Get("Accept-Language"))
	}
	return &read
}

// state says in the header which locale the page has and what it depends on, and has the browser remember a choice. The cookie names nobody,
// and no script can read it.
func (p *pages) state(w http.ResponseWriter, r *http.Request) {
	const remembered = 365 * 24 * time.Hour
	w.Header().Set("Content-Language", p.Tag)
	w.Header().Add("Vary", "Cookie")
	if p.Reader == locale.Auto {
		w.Header().Add("Vary", "Accept-Language")
	}
	//mutant:choice-forgotten if $ && chosen.Tag == ""
	if chosen := locale.Named(r.URL.Query().Get(localeParameter)); chosen != nil {
		http.SetCookie(w, &http.Cookie{Name: localeParameter, Value: chosen.Tag, Path: "/", MaxAge: int(remembered.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // no secret, and pages on loopback have no TLS
	}
}
