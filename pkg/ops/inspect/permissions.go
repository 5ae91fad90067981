package inspect

import (
	"context"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/stream/topics"
)

// operationsOn returns what Mainstay does with a topic of a kind.
func operationsOn(k topics.Kind) []kafka.Operation {
	switch k {
	case topics.Input:
		return []kafka.Operation{kafka.OperationRead}
	case topics.DeadLetter:
		return []kafka.Operation{kafka.OperationWrite}
	case topics.Ledger, topics.Output:
		return []kafka.Operation{kafka.OperationRead, kafka.OperationWrite}
	case topics.Imported:
		return nil // by `mainstay import` alone
	}
	return nil
}

// checkOperations checks that the user may read and write the topics that a process reads and writes. The brokers are asked what they
// would allow, so nothing is written: the alternative, a transaction that is aborted, leaves markers in the ledger.
func checkOperations(ctx context.Context, a *app.App, r *Report) {
	wanted := app.Topics(a.Config).All()
	var names []string
	for _, w := range wanted {
		names = append(names, w.Name)
	}
	var allowed map[string]kafka.Operations
	var there []kafka.Topic
	err := withTimeout(ctx, func(ctx context.Context) (err error) {
		if allowed, err = a.Kafka.AuthorizedOperations(ctx, names); err == nil {
			there, _ = a.Kafka.Topics(ctx, names) // an error is one of a permission, which is found here, or of checkTopics
		}
		return err
	})
	if err != nil {
		r.add(Fatal, "permissions", "%v", err)
		return
	}
	denied, untold := false, []string{}
	for i, w := range wanted {
		needed := operationsOn(w.Kind)
		may, told := allowed[w.Name]
		switch {
		case told, len(needed) == 0:
		case there != nil && !there[i].Exists:
			continue // checkTopics says so
		default:
			untold = append(untold, w.Name)
			continue
		}
		missing := slices.DeleteFunc(slices.Clone(needed), may.Allows)
		if len(missing) == 0 {
			continue
		}
		denied = true
		words := make([]string, len(missing))
		for i, op := range missing {
			words[i] = op.String()
		}
		r.add(Fatal, "topic "+w.Name, "the user lacks %s: kafka-acls.sh --add --allow-principal User:... --operation %s --topic %s", strings.Join(words, " and "), strings.Join(words, " --operation "), w.Name)
	}
	switch {
	case len(untold) > 0:
		r.add(Note, "permissions", "the brokers do not tell what is allowed on %s: writing to them is not tested", strings.Join(untold, ", "))
	case !denied:
		r.add(OK, "permissions", "all topics may be read and written as needed")
	}
}
