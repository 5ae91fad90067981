package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/config"
)

// Denied is a permission that a user lacks.
type Denied struct {
	Permission

	Missing []kafka.Operation
	Err     error // instead of Missing: the request that was tried failed
}

// String names what is missing and how it is granted.
func (d Denied) String() string {
	if d.Err != nil {
		return d.Err.Error()
	}
	names := make([]string, len(d.Missing))
	for i, o := range d.Missing {
		names[i] = o.String()
	}
	return fmt.Sprintf("the user may not %s: grant it (mainstay topics plan --acls)", strings.Join(names, ", "))
}

// Check returns what a user lacks, and the topics and groups of which the brokers do not tell. It changes nothing but the epoch of one
// transactional id, which nothing else uses: brokers do not tell of transactional ids. Topics that do not exist are left out.
func Check(ctx context.Context, k *kafka.Client, c config.Config, user User) (denied []Denied, untold []string, err error) {
	all := Kafka(c, user)
	var names []string
	for _, p := range all {
		if p.Resource == Topic {
			names = append(names, p.Name)
		}
	}
	allowed, err := k.AuthorizedOperations(ctx, names)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range all {
		may, known := allowed[p.Name]
		switch p.Resource {
		case Topic:
			if !known {
				there, err := k.Topics(ctx, []string{p.Name})
				if err != nil {
					return nil, nil, err
				}
				if !there[0].Exists {
					continue
				}
			}
		case Group:
			if may, known, err = k.AuthorizedGroupOperations(ctx, p.Name); err != nil {
				return nil, nil, err
			}
		case TransactionalID:
			switch _, err := k.OpenTransactional(ctx, p.Name+"check", c.Fold.TransactionTimeout); {
			case errors.Is(err, kafka.ErrAuthorization):
				denied = append(denied, Denied{Permission: p, Missing: p.Operations})
			case err != nil:
				denied = append(denied, Denied{Permission: p, Err: fmt.Errorf("%w; the broker's transaction.max.timeout.ms must not be below fold.transaction_timeout", err)})
			}
			continue
		}
		missing := slices.DeleteFunc(slices.Clone(p.Operations), may.Allows)
		switch {
		case !known:
			untold = append(untold, p.Name)
		case len(missing) > 0:
			denied = append(denied, Denied{Permission: p, Missing: missing})
		}
	}
	return denied, untold, nil
}
