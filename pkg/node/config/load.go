package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
)

// Sources are the sources of settings. A later source overrides an earlier one.
type Sources struct {
	// File is a YAML file. When it is empty, MAINSTAY_CONFIG of Env names it; when that is not set either, there is none.
	File string
	// YAML replaces the content of the file, mainly in tests; File is then only its name in errors.
	YAML []byte
	// Env is like os.Environ(). Variables that do not begin with MAINSTAY_ are ignored.
	Env []string
	// Flags are the flags that were set, by Setting.Flag.
	Flags map[string]string
}

// Error is one error in the settings.
type Error struct {
	Path    string // of the setting; "" if the error concerns no known setting
	From    string // source of the value: file:line, variable or flag; "" for a default
	Message string // names the bound
}

// Error is one line: setting (source): message.
func (e *Error) Error() string {
	switch {
	case e.Path == "":
		return e.From + ": " + e.Message
	case e.From == "":
		return e.Path + ": " + e.Message
	}
	return e.Path + " (" + e.From + "): " + e.Message
}

// Load reads all sources and validates the result. The returned error joins all errors in the settings; each is an *Error.
func Load(src Sources) (Config, error) {
	l := loader{config: Default(), settings: Settings(), from: map[string]string{}}
	env, fileName := mainstayEnv(src.Env)
	if src.File == "" {
		src.File = fileName
	}
	l.file(src.File, src.YAML)
	l.environment(env)
	l.flags(src.Flags)
	l.rulesFile()
	l.destinationsFile()
	for _, p := range l.config.problems() {
		if !slices.Contains(l.broken, p.Path) {
			p.From = l.from[p.Path]
			l.problems = append(l.problems, p)
		}
	}
	errs := make([]error, len(l.problems))
	for i, p := range l.problems {
		errs[i] = p
	}
	return l.config, errors.Join(errs...)
}

type loader struct {
	config   Config
	settings []Setting
	from     map[string]string // source of the value, by path
	broken   []string          // paths whose value could not be read: their bounds are not checked
	problems []*Error
}

func (l *loader) problem(path, from, format string, args ...any) {
	l.problems = append(l.problems, &Error{path, from, fmt.Sprintf(format, args...)})
}

// set parses a value and assigns it to a setting.
func (l *loader) set(s *Setting, from, value string) {
	if err := parse(s.field(&l.config), value); err != nil {
		l.fail(s, from, err)
		return
	}
	l.from[s.Path] = from
}

func (l *loader) setSecretFile(s *Setting, from, path string) {
	secret, err := secretFile(path)
	if err != nil {
		l.fail(s, from, err)
		return
	}
	*s.field(&l.config).Addr().Interface().(*Secret) = secret //nolint:forcetypeassert // only called for secrets
	l.from[s.Path] = from
}

func (l *loader) fail(s *Setting, from string, err error) {
	l.broken = append(l.broken, s.Path)
	l.problem(s.Path, from, "%s", err)
}

func (l *loader) file(name string, content []byte) {
	if content == nil {
		if name == "" {
			return
		}
		var err error
		if content, err = os.ReadFile(name); err != nil { //nolint:gosec // the operator names the file
			l.problem("", "configuration file", "%s", err)
			return
		}
	}
	if name == "" {
		name = "configuration"
	}
	l.yaml(name, content)
}

const (
	envPrefix   = "MAINSTAY_"
	envFile     = "MAINSTAY_CONFIG"
	envFileMark = "_FILE"
)

// kubernetesEnv matches the variables that Kubernetes sets in every pod of a namespace that has a service whose name begins with
// mainstay.
var kubernetesEnv = regexp.MustCompile(`^MAINSTAY_([A-Z0-9_]+_)?(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// mainstayEnv selects the variables that set Mainstay's settings; the last of the same name wins.
func mainstayEnv(environ []string) (env map[string]string, file string) {
	env = map[string]string{}
	for _, one := range environ {
		name, value, _ := strings.Cut(one, "=")
		switch {
		case name == envFile:
			file = value
		case !strings.HasPrefix(name, envPrefix), strings.HasPrefix(name, envPrefix+"TEST_"), kubernetesEnv.MatchString(name):
		default:
			env[name] = value
		}
	}
	return env, file
}

func (l *loader) environment(env map[string]string) {
	for i := range l.settings {
		s := &l.settings[i]
		value, plain := env[s.Env]
		delete(env, s.Env)
		if s.Type == "secret" {
			path, file := env[s.Env+envFileMark]
			delete(env, s.Env+envFileMark)
			switch {
			case plain && file:
				l.fail(s, s.Env, fmt.Errorf("%s is set as well; set one of them", s.Env+envFileMark))
				continue
			case file:
				l.setSecretFile(s, s.Env+envFileMark, path)
				continue
			}
		}
		if plain {
			l.set(s, s.Env, value)
		}
	}
	known := []string{envFile}
	for _, s := range l.settings {
		known = append(known, s.Env)
		if s.Type == "secret" {
			known = append(known, s.Env+envFileMark)
		}
	}
	l.unknown(env, "no setting has this variable", known)
}

func (l *loader) flags(flags map[string]string) {
	left := map[string]string{}
	for name, value := range flags {
		left["--"+name] = value
	}
	known := make([]string, 0, len(l.settings))
	for i := range l.settings {
		s := &l.settings[i]
		name := "--" + s.Flag
		known = append(known, name)
		value, ok := left[name]
		delete(left, name)
		switch {
		case !ok:
		case s.Type == "secret":
			l.setSecretFile(s, name, value)
		default:
			l.set(s, name, value)
		}
	}
	l.unknown(left, "no setting has this flag", known)
}

// rulesFile reads the rules from the file that alerts.rules_file names.
func (l *loader) rulesFile() {
	const path, inline = "alerts.rules_file", "alerts.rules"
	name := l.config.Alerts.RulesFile
	if name == "" || slices.Contains(l.broken, path) {
		return
	}
	l.broken = append(l.broken, path)
	if _, given := l.from[inline]; given {
		l.problem(path, l.from[path], "cannot be set together with alerts.rules; set one of them")
		return
	}
	content, err := os.ReadFile(name) //nolint:gosec // the operator names the file
	if err == nil {
		l.config.Alerts.Rules, err = ParseRules(name, content)
	}
	if err != nil {
		l.problem(path, l.from[path], "%s", err)
	}
}

// destinationsFile reads the destinations from the file that deliver.destinations_file names.
func (l *loader) destinationsFile() {
	const path = "deliver.destinations_file"
	name := l.config.Deliver.DestinationsFile
	if name == "" || slices.Contains(l.broken, path) {
		return
	}
	content, err := os.ReadFile(name) //nolint:gosec // the operator names the file
	if err == nil {
		l.config.Deliver.Destinations, err = destination.Parse(name, content)
	}
	if err != nil {
		l.broken = append(l.broken, path)
		l.problem(path, l.from[path], "%s", err)
	}
}

// unknown reports the names that no setting has; values are not shown, they may be secrets.
func (l *loader) unknown(left map[string]string, message string, known []string) {
	names := make([]string, 0, len(left))
	for name := range left {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		l.problem("", name, "%s%s", message, didYouMean(name, known))
	}
}
