// Package browser owns a headless Chromium, in which the pages are opened as a person would: tests look at what they show and complain of,
// and the screenshots of the documentation are taken.
//
// It refuses to open anything but loopback, and to go on after a page has complained: an error on the console fails whoever waits.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// ErrNoBrowser is returned where there is no Chromium to run.
var ErrNoBrowser = errors.New("no Chromium found: install the package chromium, or put chromium, chromium-browser or google-chrome into the PATH")

// Look is how a page is looked at.
type Look struct {
	Width, Height int
	Dark          bool
}

// Desk is how most people look at a page.
func Desk() Look { return Look{Width: 1280, Height: 900} }

// Dark is the same in dark mode.
func Dark() Look { return Look{Width: 1280, Height: 900, Dark: true} }

// Phone is the narrowest window in which pages have to be right.
func Phone() Look { return Look{Width: 360, Height: 740} }

// Browser is a running Chromium. It may be used concurrently.
type Browser struct {
	ctx  context.Context //nolint:containedctx // chromedp's handle of the process
	stop context.CancelFunc
}

// Start starts Chromium. The error may be ErrNoBrowser.
func Start(ctx context.Context) (*Browser, error) {
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		return nil, ErrNoBrowser
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program),
		chromedp.NoSandbox, // the user may be root in a container; only pages of this repository are opened
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("hide-scrollbars", true),
	)
	ctx, free := chromedp.NewExecAllocator(ctx, options...)
	ctx, stop := chromedp.NewContext(ctx)
	if err := chromedp.Run(ctx); err != nil {
		stop()
		free()
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return &Browser{ctx, func() { stop(); free() }}, nil
}

// Close ends Chromium.
func (b *Browser) Close() { b.stop() }

// Tab is an open page.
type Tab struct {
	ctx     context.Context //nolint:containedctx // chromedp's handle of the tab
	stop    context.CancelFunc
	address string

	mu         sync.Mutex
	complaints []string
}

// Open opens an address in a new tab, and waits until it is loaded. The caller must call Close.
func (b *Browser) Open(ctx context.Context, look Look, address string) (*Tab, error) {
	inTab, stop := chromedp.NewContext(b.ctx)
	t := &Tab{ctx: inTab, stop: stop, address: address}
	chromedp.ListenTarget(inTab, t.listen) //nolint:contextcheck // the tab's
	scheme := "light"
	if look.Dark {
		scheme = "dark"
	}
	media := emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}})
	// The first run makes the tab, which lives as long as the context of that run.
	defer context.AfterFunc(ctx, stop)()
	err := chromedp.Run(inTab, log.Enable(), media, chromedp.EmulateViewport(int64(look.Width), int64(look.Height)), chromedp.Navigate(address)) //nolint:contextcheck // ctx ends it
	if err != nil {
		stop()
		return nil, fmt.Errorf("open %s: %w", address, err)
	}
	return t, nil
}

// listen notes errors on the console, exceptions, and what the policy of a page has blocked.
func (t *Tab) listen(event any) {
	complaint := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		complaint = e.ExceptionDetails.Error()
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeAssert {
			complaint = fmt.Sprint("console: ", e.Args)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError && e.Entry.URL != t.address { // what the address itself answers is what was asked for
			complaint = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	}
	if complaint != "" {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.complaints = append(t.complaints, complaint)
	}
}

// Run runs actions in the tab. The error names what the page has complained of, too.
func (t *Tab) Run(ctx context.Context, actions ...chromedp.Action) error {
	return errors.Join(t.run(ctx, actions...), t.complained())
}

func (t *Tab) run(ctx context.Context, actions ...chromedp.Action) error {
	inTab, cancel := context.WithCancel(t.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	err := chromedp.Run(inTab, actions...) //nolint:contextcheck // the tab's context has its connection; ctx cancels it
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

func (t *Tab) complained() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.complaints) == 0 {
		return nil
	}
	return errors.New("the page complains: " + strings.Join(t.complaints, "; "))
}

// Close closes the tab.
func (t *Tab) Close() { t.stop() }
