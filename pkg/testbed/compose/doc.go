// Package compose owns the test of docker-compose.yml (build tag compose): it starts the whole stack next to whatever else runs on
// the machine, sends events through it, runs every query of the dashboards in its Prometheus, and stops it.
//
// It refuses to know how Mainstay is assembled: it uses the files that a user uses, and HTTP.
package compose
