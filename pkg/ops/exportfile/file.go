// Package exportfile owns exports in files: a file that is whole or not there, with its manifest beside it, and the proof that the file
// follows from the ledger.
//
// Verify folds the ledger into memory, as an audit does, and needs neither Redis nor a running fold. It refuses to trust the manifest's
// hash: whoever alters a file can alter that as well.
package exportfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mainstay/mainstay/pkg/stream/export"
)

// ManifestPath is where the manifest of a file stands.
func ManifestPath(path string) string { return path + ".manifest.json" }

// Write makes a file and its manifest. Both are written under other names and then renamed, so that an export that fails leaves what was
// there. They hold personal data, so only their owner can read them.
func Write(path string, write func(io.Writer) (*export.Manifest, error)) (*export.Manifest, error) {
	var m *export.Manifest
	file, err := prepare(path, func(to io.Writer) (err error) {
		m, err = write(to)
		return err
	})
	if err != nil {
		return nil, err
	}
	manifest, err := prepare(ManifestPath(path), func(to io.Writer) error {
		_, err := to.Write(m.Encode())
		return err //nolint:wrapcheck // prepare wraps it
	})
	if err != nil {
		return nil, errors.Join(err, os.Remove(file))
	}
	// A crash in between leaves a file with the manifest of another, which Verify notices by the hash.
	if err := errors.Join(os.Rename(file, path), os.Rename(manifest, ManifestPath(path))); err != nil {
		return nil, fmt.Errorf("name the export: %w", err)
	}
	return m, nil
}

// prepare writes a file under a temporary name beside its path, and returns that name.
func prepare(path string, write func(io.Writer) error) (name string, err error) {
	to, err := os.CreateTemp(filepath.Dir(path), ".export-*")
	if err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	err = write(to)
	if err := errors.Join(err, to.Sync(), to.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(to.Name()))
	}
	return to.Name(), nil
}

// ReadManifest reads the manifest of a file, or the manifest itself.
func ReadManifest(path string) (*export.Manifest, error) {
	if filepath.Ext(path) != ".json" {
		path = ManifestPath(path)
	}
	text, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w; it is written beside the export", err)
	}
	return export.ParseManifest(text)
}
