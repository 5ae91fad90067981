package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Probe requests /readyz from the process that listens on an address; the error holds the response. It replaces curl in an image
// that contains only the program. An address without a host means localhost.
func Probe(ctx context.Context, address string) error {
	if strings.HasPrefix(address, ":") {
		address = "localhost" + address
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz?verbose", nil)
	if err != nil {
		return fmt.Errorf("probe %s: %w", address, err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read, or its error is returned
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("probe: read the answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s:\n%s", address, answer.Status, body)
	}
	return nil
}
