// Command openapi generates docs/openapi.json from the routes of the API, and docs/openapi-ingest.json from those of the intake over HTTP.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/mainstay/mainstay/pkg/edge/api"
	"github.com/mainstay/mainstay/pkg/edge/ingest"
)

func main() {
	of := flag.String("of", "api", "what to describe: api or ingest")
	out := flag.String("o", "", "file to write")
	flag.Parse()
	describe := map[string]func() ([]byte, error){"api": api.Document, "ingest": ingest.Document}[*of]
	if describe == nil {
		fmt.Fprintf(os.Stderr, "openapi: -of must be api or ingest; it is %q\n", *of)
		os.Exit(2)
	}
	document, err := describe()
	if err == nil {
		err = os.WriteFile(*out, document, 0o644) //nolint:gosec // public documentation
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}
