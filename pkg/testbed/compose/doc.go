// Package compose owns the proof that docker-compose.yml is true: its test (build tag compose) brings the whole of it up beside
// whatever else runs on the machine, sends events through it, asks its Prometheus everything that the boards ask, and takes it
// down again.
//
// It refuses to know how Mainstay is assembled: it uses the files that a person uses, and asks over HTTP.
package compose
