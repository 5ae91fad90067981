package registry_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/pkg/testbed/schemaregistry"
)

const (
	first       = `{"type":"record","name":"A","fields":[{"name":"a","type":"string"}]}`
	withColumn  = `{"type":"record","name":"A","fields":[{"name":"a","type":"string"},{"name":"b","type":["null","string"],"default":null}]}`
	withoutRead = `{"type":"record","name":"A","fields":[{"name":"a","type":"string"},{"name":"c","type":"string"}]}` // no default: it reads nothing from before
)

// A schema is looked up, registered if that is allowed, and refused with the words of the registry.
func TestIDs(t *testing.T) {
	s := start(t)
	r := open(t, registry.Config{URLs: []string{s.URL}})
	id := func(text string, register bool) (uint64, error) {
		return r.ID(t.Context(), registry.Schema{Subject: "a-value", Text: text}, register)
	}
	check := func(text string, register bool) (bool, error) {
		return r.CheckSchema(t.Context(), registry.Schema{Subject: "a-value", Text: text}, register)
	}
	const versions = "/subjects/a-value/versions"

	_, err := id(first, false)
	require.ErrorIs(t, err, registry.ErrUnregistered)
	_, err = check(first, false)
	require.ErrorIs(t, err, registry.ErrUnregistered)
	registered, err := check(first, true)
	require.NoError(t, err)
	require.False(t, registered)
	require.Zero(t, s.Requests(versions), "a check registers nothing")

	one, err := id(first, true)
	require.NoError(t, err)
	again, err := id(first, true)
	require.NoError(t, err)
	require.Equal(t, one, again)
	require.Equal(t, 1, s.Requests(versions), "what is known is not registered again")
	registered, err = check(first, false)
	require.NoError(t, err)
	require.True(t, registered)

	registered, err = check(withColumn, true)
	require.NoError(t, err)
	require.False(t, registered)
	two, err := id(withColumn, true)
	require.NoError(t, err)
	require.NotEqual(t, one, two)

	_, err = check(withoutRead, true)
	require.ErrorIs(t, err, registry.ErrRefused)
	require.ErrorContains(t, err, "subject a-value: ")
	_, err = id(withoutRead, true)
	require.ErrorIs(t, err, registry.ErrRefused)
	require.NotErrorIs(t, err, registry.ErrUnreachable)
	require.ErrorContains(t, err, "incompatible with an earlier schema")
	require.Equal(t, 3, s.Requests(versions))

	_, err = (*registry.Registry)(nil).ID(t.Context(), registry.Schema{}, true)
	require.ErrorIs(t, err, registry.ErrNoRegistry)
}

// What a registry refuses is no outage: another server is not asked. What is one says so.
func TestARefusalIsNoOutage(t *testing.T) {
	s, other := start(t, schemaregistry.Schema{Subject: "a-value", ID: 1, Version: 1, Text: first}), start(t)
	r := open(t, registry.Config{URLs: []string{s.URL, other.URL}})
	var observed []error
	r.Observe(func(err error) { observed = append(observed, err) })
	_, err := r.ID(t.Context(), registry.Schema{Subject: "a-value", Text: withoutRead}, true)
	require.ErrorIs(t, err, registry.ErrRefused)
	require.Zero(t, other.Requests("/subjects/a-value/versions"))
	require.Equal(t, []error{nil, nil}, observed, "a look-up and a registration, both answered")

	for status, want := range map[int]error{http.StatusServiceUnavailable: registry.ErrUnreachable, http.StatusForbidden: registry.ErrDenied, http.StatusUnprocessableEntity: registry.ErrRefused} {
		s.Answer(status)
		other.Answer(status)
		_, err := r.ID(t.Context(), registry.Schema{Subject: "a-value", Text: first}, true)
		require.ErrorIs(t, err, want)
		require.Equal(t, 1, strings.Count(err.Error(), want.Error()))
	}
}
