// Package inspect owns read-only diagnostics: the status of every partition, whether a deployment is sound, how a payload is
// decoded, and the records that arrive in topics.
//
// It refuses to change anything: it joins no group and fences no fold, so it can be used at any time on a live system, and
// without one.
package inspect
