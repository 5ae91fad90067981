// Command screenshots takes the pictures of the pages that the documentation shows, from the demonstration's shop.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/mainstay/mainstay/pkg/testbed/browser"
)

// picture is a page as the documentation shows it.
type picture struct {
	name, path string
	look       browser.Look
}

func pictures() []picture {
	return []picture{
		{"today", "/", browser.Desk()},
		{"today-fa", "/?locale=fa", browser.Desk()},
		{"today-phone", "/?locale=en&capacity=10", browser.Phone()},
		{"customer", "", browser.Desk()}, // the first of today
		{"alerts", "/alerts", browser.Desk()},
		{"overview", "/overview", browser.Desk()},
		{"overview-dark", "/overview", browser.Dark()},
		{"segments", "/segments?by=churn_risk", browser.Desk()},
		{"cohorts", "/cohorts", browser.Desk()},
		{"model", "/model", browser.Desk()},
	}
}

// patience is how long the demonstration, and then all pictures, may take.
const patience = 2 * time.Minute

func main() {
	program := flag.String("mainstay", "bin/mainstay", "built program")
	to := flag.String("to", "docs/images", "directory of the pictures")
	flag.Parse()
	if err := run(*program, *to); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(program, to string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	demo := exec.CommandContext(ctx, program, "demo", "--pace", "10s")
	demo.Cancel = func() error { return demo.Process.Signal(syscall.SIGTERM) }
	out, err := demo.StdoutPipe()
	if err != nil {
		return fmt.Errorf("read the demonstration's output: %w", err)
	}
	if err := demo.Start(); err != nil {
		return fmt.Errorf("start the demonstration: %w", err)
	}
	defer func() {
		cancel()
		_ = demo.Wait() // it ends by the signal
	}()
	lines := bufio.NewScanner(out)
	address, err := awaitEnd(lines)
	if err != nil {
		return err
	}
	go func() { // it writes on
		for lines.Scan() {
			continue
		}
	}()
	b, err := browser.Start(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := os.MkdirAll(to, 0o750); err != nil {
		return fmt.Errorf("make the directory: %w", err)
	}
	customer := ""
	for _, p := range pictures() {
		if p.path == "" {
			p.path = customer
		}
		first, err := p.take(ctx, b, address, to)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if customer == "" {
			customer = first
		}
	}
	return nil
}

// awaitEnd returns the address of the pages when the simulated time is over.
func awaitEnd(lines *bufio.Scanner) (address string, err error) {
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	for lines.Scan() {
		if address == "" {
			address = url.FindString(lines.Text())
		}
		if strings.Contains(lines.Text(), "Everything keeps running") {
			return address, nil
		}
	}
	return "", errors.Join(errors.New("the demonstration has ended before the end of its simulated time"), lines.Err())
}

// take takes the picture. It returns the path of the first customer whom the page names.
func (p picture) take(ctx context.Context, b *browser.Browser, address, to string) (customer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tab, err := b.Open(ctx, p.look, address+p.path)
	if err != nil {
		return "", err
	}
	defer tab.Close()
	var png []byte
	const settled = 300 * time.Millisecond // for what a script shows
	err = tab.Run(ctx, chromedp.WaitVisible("h1"), chromedp.Sleep(settled), chromedp.CaptureScreenshot(&png),
		chromedp.Evaluate(`document.querySelector("main a.id")?.getAttribute("href") ?? ""`, &customer))
	if err != nil {
		return "", err
	}
	path := filepath.Join(to, p.name+".png")
	if err := os.WriteFile(path, png, 0o644); err != nil { //nolint:gosec // it is published
		return "", fmt.Errorf("write a picture: %w", err)
	}
	fmt.Printf("%s: %s, %d bytes\n", path, p.path, len(png))
	return customer, nil
}
