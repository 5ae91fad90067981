// Dashboards owns the Grafana dashboards of Mainstay: Operations for operators, Customers for the owners of the shop. It writes them
// as JSON files, which are committed, so that Grafana loads them without running this program:
//
//	go run ./cmd/dashboards
//
// It refuses queries on metrics that pkg/telemetry does not have (a test in package deploy checks them), and panels without a
// description, a unit or a text for the case without data. A description says what the panel shows and what is healthy.
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
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	files, err := generate()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil { //nolint:gosec // for everybody to read
			return fmt.Errorf("write a dashboard: %w", err)
		}
	}
	return nil
}

// generate returns the JSON of each dashboard by file name.
func generate() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, b := range map[string]*builder{"operations.json": operationsDashboard(), "customers.json": customersDashboard()} {
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
