package server

import (
	"encoding/json"
	"net/http"

	"go.uber.org/zap"
)

// statusJSON serves the state of the process; `mainstay status` reads it.
func (s *Server) statusJSON(w http.ResponseWriter, _ *http.Request) {
	body, err := json.MarshalIndent(s.opts.StatusJSON(), "", "  ")
	if err != nil {
		s.opts.Log.Error("encode the status", zap.Error(err))
		writeText(w, http.StatusInternalServerError, "the status could not be encoded; see the log\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n')) // the client may have disconnected
}
