package server

import (
	"encoding/json"
	"net/http"

	"go.uber.org/zap"
)

// statusJSON is the state of the process for tools: `mainstay status` reads it.
func (s *Server) statusJSON(w http.ResponseWriter, _ *http.Request) {
	body, err := json.MarshalIndent(s.opts.JSON(), "", "  ")
	if err != nil {
		s.opts.Log.Error("the status was not encoded", zap.Error(err))
		text(w, http.StatusInternalServerError, "the status was not encoded; the log says why\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n')) // the reader may have gone
}
