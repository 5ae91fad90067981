// Package inspect owns the looks from outside: what a customer's answers are, where everything stands, whether a set-up is
// sound, how a payload is read, and what goes by in the topics.
//
// It refuses to own anything: it joins no group, fences nobody and changes nothing, so it can be used beside a live system
// at any time, and without one.
package inspect
