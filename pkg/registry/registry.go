// Package registry owns records whose serializer has registered its schema: it recognises their framing, fetches the schema from a registry with
// Confluent's REST API (Confluent, Apicurio, Karapace, Redpanda), and writes what Avro or Protobuf encode as JSON, so that one decoder reads
// the events of all encodings. Start reading at Registry.Open.
//
// For outputs it finds the ids of schemas, and registers them (Registry.ID).
//
// It refuses to say what the JSON means, which is for pkg/format and schemas/event, and to validate by a JSON Schema. A registry that does not answer is no reason to refuse a record: the error says so, and the caller waits.
package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/mainstay/mainstay/schemas/event"
)

// Config configures a Registry.
type Config struct {
	URLs     []string // of servers of one registry, tried in this order
	Username string
	Password func() (string, error)            // read again for each request; nil: none
	Token    func() (string, error)            // instead of user and password, likewise
	Headers  map[string]func() (string, error) // further ones, likewise
	TLS      func() (*tls.Config, error)       // read again for each connection; nil: the system's certificates
	Timeout  time.Duration                     // of one request
	LongIDs  bool                              // the framing has ids of 8 bytes (Apicurio before 3), not of 4

	Transport http.RoundTripper // answers the requests; nil: the network does
}

// The errors of a registry that did not answer. The record may be read later.
var (
	ErrUnreachable = errors.New("the schema registry does not answer")
	ErrPending     = fmt.Errorf("%w yet", ErrUnreachable) // of the first request for a schema
	ErrDenied      = errors.New("no access to the schema registry")
)

const (
	patience      = 300 * time.Millisecond // how long Open waits for a schema that is fetched for the first time
	firstPause    = 250 * time.Millisecond // after a request that failed; each next one is twice as long
	longestPause  = 10 * time.Second
	unknownFor    = 5 * time.Second // how long an id is not asked for again that the registry does not know
	maxAnswer     = 4 << 20         // bytes of an answer
	maxReferences = 100             // schemas that a schema refers to, directly or not
)

// Registry reads records by the schemas of a registry. It is safe for concurrent use. A nil Registry reads none.
type Registry struct {
	cfg     Config
	servers []*sr.Client
	http    *http.Transport
	ctx     context.Context //nolint:containedctx // of the fetches, which outlive the call that began them
	cancel  context.CancelFunc
	fetches sync.WaitGroup

	mu       sync.Mutex
	schemas  map[string]*schema // by id; what an id stands for never changes
	observer func(error)
}

// schema is what is known of an id.
type schema struct {
	done chan struct{} // closed once the registry has answered; the next two are fixed then
	body body
	why  *event.Refused // nil, or why no record of this schema can be read
	mu   sync.Mutex
	err  error // of the last request, while the registry has not answered
}

// registered is a schema as a registry answers it. The type of the client refuses types of schemas that it does not know, which would look
// like a registry that does not answer.
type registered struct {
	Text       string               `json:"schema"`
	Type       string               `json:"schemaType"` // "": AVRO
	References []sr.SchemaReference `json:"references"`
}

// body reads what follows the framing of a record.
type body interface {
	json(framed []byte) ([]byte, error)
	encoding() string
}

// New returns a registry, without connecting. Close ends its requests.
func New(cfg Config) (*Registry, error) {
	r := &Registry{cfg: cfg, schemas: map[string]*schema{}}
	r.http = &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{}).DialContext, MaxIdleConns: 2, IdleConnTimeout: time.Minute}
	if cfg.TLS != nil {
		r.http.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := cfg.TLS()
			if err != nil {
				return nil, err
			}
			return (&tls.Dialer{Config: c}).DialContext(ctx, network, address)
		}
	}
	if cfg.Transport == nil {
		cfg.Transport = r.http
	}
	for _, address := range cfg.URLs {
		server, err := sr.NewClient(sr.URLs(address), sr.UserAgent("mainstay"), sr.PreReq(r.authenticate),
			sr.HTTPClient(&http.Client{Transport: bounded{cfg.Transport}, Timeout: cfg.Timeout, CheckRedirect: noRedirect}))
		if err != nil {
			return nil, fmt.Errorf("registry.urls: %w", err)
		}
		r.servers = append(r.servers, server)
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

// Close ends all requests. No record may be opened afterwards.
func (r *Registry) Close() {
	if r == nil {
		return
	}
	r.cancel()
	r.fetches.Wait()
	r.http.CloseIdleConnections()
}

func (r *Registry) authenticate(req *http.Request) error {
	for name, read := range r.cfg.Headers {
		value, err := read()
		//mutant:registry-header-left-out insert continue
		if err != nil {
			return fmt.Errorf("%w: registry.headers: %w", ErrDenied, err)
		}
		req.Header.Set(name, value)
	}
	switch {
	case r.cfg.Token != nil:
		token, err := r.cfg.Token()
		if err != nil {
			return fmt.Errorf("%w: registry.token: %w", ErrDenied, err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	case r.cfg.Username != "":
		password, err := r.cfg.Password()
		if err != nil {
			return fmt.Errorf("%w: registry.password: %w", ErrDenied, err)
		}
		req.SetBasicAuth(r.cfg.Username, password)
	}
	return nil
}

// noRedirect leaves an answer as it is: the credentials are for the server that the setting names.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// bounded bounds the answers of a server.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err //nolint:wrapcheck // the client wraps it
}

// Check asks the registry which encodings it knows, and returns why it does not answer.
func (r *Registry) Check(ctx context.Context) error {
	return r.ask(ctx, func(ctx context.Context, server *sr.Client) error {
		_, err := server.SupportedTypes(ctx)
		return err //nolint:wrapcheck // ask wraps it
	})
}

// errUnknown is the error of what the registry does not know.
var errUnknown = errors.New("not found")

// ask asks the servers one after the other until one answers. The error is errUnknown, ErrUnreachable or ErrDenied, or of an answer that no
// registry gives.
func (r *Registry) ask(ctx context.Context, ask func(context.Context, *sr.Client) error) error {
	var failed error
	for i, server := range r.servers {
		err := classify(ask(ctx, server), r.cfg.URLs[i])
		if err == nil || errors.Is(err, errUnknown) || errors.Is(err, ErrRefused) {
			r.observe(nil)
			return err
		}
		if failed == nil || errors.Is(err, ErrDenied) {
			failed = err
		}
	}
	r.observe(failed)
	return failed
}

// Observe sets what is called after each request: with nil if it was answered, or with ErrUnreachable or ErrDenied.
func (r *Registry) Observe(observer func(error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.observer = observer
}

func (r *Registry) observe(err error) {
	r.mu.Lock()
	observer := r.observer
	r.mu.Unlock()
	if observer != nil && r.ctx.Err() == nil {
		observer(err)
	}
}

// classify says what a failed request means. A status that no registry gives is that of something between: it passes, or an operator sees it.
func classify(err error, address string) error {
	if err == nil {
		return nil
	}
	answer, answered := errors.AsType[*sr.ResponseError](err)
	switch {
	case errors.Is(err, ErrRefused), errors.Is(err, ErrDenied): // the registry has answered, or the credentials cannot be read, so nothing was sent
		return err
	case !answered:
		return fmt.Errorf("%w: %s: %w", ErrUnreachable, address, err)
	case answer.StatusCode == http.StatusNotFound && isRegistryError(answer.ErrorCode):
		return errUnknown
	case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: %s answers %d (registry.username, registry.password, registry.token)", ErrDenied, address, answer.StatusCode)
	}
	return fmt.Errorf("%w: %s answers %d", ErrUnreachable, address, answer.StatusCode)
}

// isRegistryError reports whether the code of a 404 is that of something that a registry does not have: these have five digits, such as 40403.
// The 404 of a proxy has none, and that of a wrong path in registry.urls may have the code 404. Both say nothing of the id: to refuse records
// for them would empty a topic into the dead letters.
func isRegistryError(code int) bool {
	//mutant:any-404-is-unknown replace return true
	return code/100 == http.StatusNotFound
}

// lookUp returns the schema of an id, once it is known. Its requests go on until the registry has answered, whatever becomes of the caller:
// the first call waits a moment for the answer, and the later ones do not, so that nobody waits for a registry that is down while there is
// other work.
func (r *Registry) lookUp(ctx context.Context, f framed) (*schema, error) {
	var wait <-chan time.Time // nil: another call has waited
	r.mu.Lock()
	s := r.schemas[f.id]
	//mutant:schema-fetched-each-time if true
	if s == nil {
		s = &schema{done: make(chan struct{})}
		r.schemas[f.id] = s
		r.fetches.Go(func() { r.fetch(f.id, s, f.path) }) //nolint:contextcheck // it outlives this call
		wait = time.After(patience)
	}
	r.mu.Unlock()
	if wait != nil {
		select {
		case <-s.done:
		case <-wait:
		case <-ctx.Done():
		}
	}
	select {
	case <-s.done:
		return s, nil
	default:
	}
	if err := s.failure(); err != nil {
		return nil, fmt.Errorf("schema %s: %w", f.id, err)
	}
	return nil, fmt.Errorf("schema %s: %w", f.id, ErrPending)
}

func (s *schema) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// fetch asks until the registry has answered.
func (r *Registry) fetch(id string, s *schema, path string) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		found, references, err := r.fetchAll(path)
		switch {
		case r.ctx.Err() != nil:
			return
		case err == nil:
			s.body, err = compile(found, references)
			if err != nil {
				s.why = &event.Refused{Reason: event.Schema, Detail: fmt.Sprintf("schema %s of the registry cannot be used: %s", id, oneLine(err))}
			}
			close(s.done)
			return
		case errors.Is(err, errUnknown):
			s.why = &event.Refused{Reason: event.Schema, Detail: fmt.Sprintf("schema %s: %s at %s", id, oneLine(err), strings.Join(r.cfg.URLs, ", "))}
			close(s.done)
			r.forget(id)
			return
		}
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
		select {
		case <-r.ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// forget forgets after a while that an id is unknown: it may be registered yet, and records may name any number of such ids.
func (r *Registry) forget(id string) {
	select {
	case <-r.ctx.Done():
	case <-time.After(unknownFor):
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	//mutant:unknown-schema-for-ever delete
	delete(r.schemas, id)
}

// reference is a schema that another one refers to, by the name that it has there.
type reference struct {
	name, text string
}

// fetchAll fetches a schema, and those that it refers to, each after those that it refers to itself.
func (r *Registry) fetchAll(path string) (root registered, references []reference, err error) {
	root, err = r.fetchOne(path)
	if err != nil {
		return root, nil, err
	}
	seen := map[string]bool{}
	var follow func(refs []sr.SchemaReference) error
	follow = func(refs []sr.SchemaReference) error {
		for _, ref := range refs {
			if seen[ref.Name] {
				continue
			}
			if seen[ref.Name] = true; len(seen) > maxReferences {
				return nil // compiling fails by the name that is missing
			}
			found, err := r.fetchOne("/subjects/" + url.PathEscape(ref.Subject) + "/versions/" + strconv.Itoa(ref.Version))
			if err != nil {
				return fmt.Errorf("its reference %s (subject %s, version %d): %w", ref.Name, ref.Subject, ref.Version, err)
			}
			if err := follow(found.References); err != nil {
				return err
			}
			references = append(references, reference{ref.Name, found.Text})
		}
		return nil
	}
	err = follow(root.References)
	return root, references, err
}

// fetchOne fetches one schema, also one that was deleted: records that were written with it remain.
func (r *Registry) fetchOne(path string) (found registered, err error) {
	err = r.ask(r.ctx, func(ctx context.Context, server *sr.Client) error {
		found = registered{}
		return server.Do(sr.WithParams(ctx, sr.ShowDeleted), http.MethodGet, path, nil, &found) //nolint:wrapcheck // ask wraps it
	})
	return found, err
}

// compile makes the reader of the records of a schema. A schema comes from outside: a fault of a compiler is a reason to refuse it.
func compile(s registered, references []reference) (b body, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("its compiler fails: %v", fault)
		}
	}()
	switch s.Type {
	case "", "AVRO":
		return compileAvro(s.Text, references)
	case "PROTOBUF":
		return compileProtobuf(s.Text, references)
	case "JSON":
		return jsonBody{}, nil
	}
	return nil, fmt.Errorf("its type is %.20q: AVRO, PROTOBUF or JSON is wanted", s.Type)
}

// jsonBody is the body of a record with a JSON Schema: the event as it is. What it must look like says the decoder, and not the schema.
type jsonBody struct{}

func (jsonBody) json(framed []byte) ([]byte, error) { return framed, nil }
func (jsonBody) encoding() string                   { return "JSON" }

// oneLine is the text of an error from outside, for a header of a dead letter.
func oneLine(err error) string {
	const longest = 300
	text := strings.Join(strings.Fields(err.Error()), " ")
	return strings.ToValidUTF8(text[:min(len(text), longest)], "")
}
