package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/testbed/containers"
)

// usage is the resource usage of a process since its start, from its metrics.
type usage struct {
	cpu         float64 // s, user and system, from the kernel
	allocations float64 // objects
	allocated   float64 // bytes
	resident    float64 // bytes, current
}

// readUsage reads the metrics of a process.
func readUsage(ctx context.Context, p *containers.Process) (r usage, err error) {
	body, err := get(ctx, "http://"+p.HTTP+"/metrics", 10*time.Second)
	if err != nil {
		return r, err
	}
	defer func() { _ = body.Close() }() // already read
	wanted := map[string]*float64{
		"process_cpu_seconds_total": &r.cpu, "go_memstats_mallocs_total": &r.allocations,
		"go_memstats_alloc_bytes_total": &r.allocated, "process_resident_memory_bytes": &r.resident,
	}
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if to := wanted[name]; to != nil {
			if *to, err = strconv.ParseFloat(value, 64); err != nil {
				return r, fmt.Errorf("read metric %s: %w", name, err)
			}
			delete(wanted, name)
		}
	}
	for name := range wanted {
		return r, fmt.Errorf("the process does not export the metric %s", name)
	}
	return r, lines.Err()
}

// ownedPartitions returns the ledger partitions that a process owns.
func ownedPartitions(ctx context.Context, p *containers.Process) ([]int32, error) {
	body, err := get(ctx, "http://"+p.HTTP+"/status", 10*time.Second)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // already read
	var status struct {
		Partitions []struct {
			Partition int32  `json:"partition"`
			Cause     string `json:"cause"`
		} `json:"partitions"`
	}
	if err := json.NewDecoder(body).Decode(&status); err != nil {
		return nil, fmt.Errorf("read the status: %w", err)
	}
	var all []int32
	for _, s := range status.Partitions {
		all = append(all, s.Partition)
	}
	return all, nil
}

func get(ctx context.Context, url string, patience time.Duration) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("get %s: %w", url, err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("get %s: %w", url, err)
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		cancel()
		return nil, fmt.Errorf("get %s: %s", url, answer.Status)
	}
	return cancelBody{answer.Body, cancel}, nil
}

// cancelBody releases the context of a request when its body is closed.
type cancelBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (e cancelBody) Close() error {
	defer e.cancel()
	return e.ReadCloser.Close()
}
