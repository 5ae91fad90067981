// Command openapi generates docs/openapi.json from the routes of the API.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/mainstay/mainstay/pkg/edge/api"
)

func main() {
	out := flag.String("o", "", "file to write")
	flag.Parse()
	document, err := api.Document()
	if err == nil {
		err = os.WriteFile(*out, document, 0o644) //nolint:gosec // public documentation
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}
