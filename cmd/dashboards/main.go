// Boards owns the Grafana boards of Mainstay: what operators see (Operations) and what the shop's people see (Customers). It
// writes them as JSON, which is committed, so that a Grafana needs no program to load them:
//
//	go run ./cmd/dashboards
//
// It refuses to know figures that no metric of pkg/telemetry gives, and panels that leave their reader alone: each has a unit,
// says what it shows and what a healthy one looks like, and says so when there is nothing to show.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

//go:generate go run . -dir ../../deploy/grafana/dashboards

func main() {
	dir := flag.String("dir", "deploy/grafana/dashboards", "where the JSON goes")
	flag.Parse()
	if err := write(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "boards:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	files, err := all()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil { //nolint:gosec // for everybody to read
			return fmt.Errorf("write a board: %w", err)
		}
	}
	return nil
}

// all boards as they are written, by file name.
func all() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, b := range map[string]*board{"operations.json": operations(), "customers.json": customers()} {
		built, err := b.Build()
		if err != nil {
			return nil, fmt.Errorf("build %s: %w", name, err)
		}
		text, err := json.MarshalIndent(built, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", name, err)
		}
		files[name] = append(text, '\n')
	}
	return files, nil
}
