package main

// mutants breaks every rule that code can break.
func mutants() []mutant {
	const (
		owner, claim, publish, working = "pkg/fold/owner.go", "pkg/fold/claim.go", "pkg/fold/publish.go", "pkg/fold/working.go"
		run, tick, clock               = "pkg/intake/run.go", "pkg/intake/tick.go", "pkg/intake/clock.go"
		origin, ticks                  = "processors/origin.go", "processors/ticks.go"
		fetch, txn                     = "pkg/kafka/fetch.go", "pkg/kafka/transactional.go"
		partition, commit              = "pkg/redis/partition.go", "pkg/redis/commit.go"
	)
	const (
		overtakes  = "	if err := r.land(ctx); err != nil {\n		return err\n	}\n	r.filling, r.flying"
		overtaking = "	if before := r.flight; before != nil {\n		r.flight = nil\n		p, err := r.kafka.NewProducer(ctx)\n		if err != nil {\n			return err\n		}\n		r.producer = p\n"
	)
	return []mutant{
		{"5", "an alert is raised again after a restart", []edit{{"processors/customer/alerts.go", "Phase: Phase(min(e.GetPhase(), uint32(Cooling))),", "Phase: Pending,"}}},
		{"6", "an alert forgets after a restart that it was raised", []edit{{"processors/customer/alerts.go", "s.Alerts.Episodes = append(s.Alerts.Episodes, Episode{", "_ = append(s.Alerts.Episodes, Episode{"}}},
		{"6", "a first evaluation raises alerts", []edit{{"processors/alerts.go", "Silent: trigger == output.TriggerRefit || !p.evaluated(c.state),", "Silent: trigger == output.TriggerRefit,"}}},
		{"3", "no origin mark: what came twice counts twice", []edit{{origin, "	if ok && !at.above(known) {\n		return DuplicateOrigin\n	}\n	if a :=", "	if a :="}}},
		{"3", "no mark for entries from other partitions, credits by difference", []edit{
			{origin, "ok && !at.above(known) {\n			return DuplicateOrigin\n		}\n		return Applied", "ok && !at.above(known) && false {\n			return DuplicateOrigin\n		}\n		return Applied"},
			{"processors/customer/referrals.go", "		s.credit += c.GetNet() - s.credits[i].net\n		s.credits[i].net = c.GetNet()", "		s.credit += c.GetNet()\n		s.credits[i].net += c.GetNet()"},
		}},
		{"7", "an entry's outputs over two transactions", []edit{{publish, "	err := o.txn.Publish(ctx, kafka.Transaction{", "	if len(batches) > 1 {\n		if err := o.txn.Publish(ctx, kafka.Transaction{Batches: batches[:1]}); err != nil {\n			return err\n		}\n		batches = batches[1:]\n	}\n	err := o.txn.Publish(ctx, kafka.Transaction{"}}},
		{"7", "more is woken than one entry may: no entry goes on", []edit{{"processors/timers.go", "if (more || p.rescoring != nil) && !p.continuePending {", "if (more || p.rescoring != nil) && !p.continuePending && false {"}, {"processors/timers.go", "due = due[:min(limit, len(due))]", "due = due[:min(limit, len(due))]\n	if p.base%2 == 0 {\n		due = nil\n	}"}}},
		{"7", "the cursor is lost on reclaim", []edit{{"processors/partition.go", "p.latest, p.rescoring = w.GetLatest(), w.Rescoring", "p.latest = w.GetLatest()"}}},
		{"7", "who is new since the last commit is left out of his class", []edit{{working, "		if ledger.Class(id, classes) == class {", "		if false && ledger.Class(id, classes) == class {"}}},
		{"20", "a threshold is applied in a different place on replay", []edit{{owner, "	out := &o.out\n	if r.Offset < o.published {", "	if r.Offset < o.published && o.entry.GetKind() == ledger.Kind_KIND_THRESHOLDS {\n		o.entry.Kind, o.entry.Payload = ledger.Kind_KIND_CHECKPOINT, nil\n	}\n	out := &o.out\n	if r.Offset < o.published {"}}},
		{"9", "two produce requests in flight, positions settled with the first", []edit{{run, overtakes, overtaking + "		r.settle()\n	}\n	r.filling, r.flying"}, {run, "	r.filling.reset()\n	if len(r.flying.All())", "	r.filling = cargo{Batches: kafka.NewBatches()}\n	if len(r.flying.All())"}}},
		{"9", "two produce requests in flight, and a gap accepted", []edit{
			{run, overtakes, overtaking + "		r.prev = before\n	}\n	r.filling, r.flying"},
			{run, "	flight := make(chan landed, 1)", "	flight := make(chan landed, 1)\n	before := r.prev\n	r.prev = nil"},
			{run, "		flight <- landed{acks, err, now()}", "		if before != nil {\n			if l := <-before; l.err != nil {\n				err = l.err\n			}\n		}\n		flight <- landed{acks, err, now()}"},
			{run, "type run struct {", "type run struct {\n	prev chan landed"},
			{run, "	r.filling.reset()\n	if len(r.flying.All())", "	r.filling = cargo{Batches: kafka.NewBatches()}\n	if len(r.flying.All())"},
			{origin, "!ok || after.above(known) {", "(!ok || after.above(known)) && false {"},
		}},
		{"9", "input offsets committed before they are acknowledged", []edit{{run, "	flight := make(chan landed, 1)", "	for _, p := range r.flying.reached {\n		p.input.acked, p.input.ackedOffset, p.input.ackedPrint = p.next, p.offset, p.print\n	}\n	flight := make(chan landed, 1)"}}},
		{"10", "read uncommitted", []edit{{fetch, "b = append(b, 1)                             // isolation level: read committed", "b = append(b, 0)"}}},
		// Each of these two alone is covered by the other: entries and ticks in one order, and a reading held against the marks.
		{"11", "tick by another producer, and a reading without its entries believed", []edit{
			{run, "		r.tick()\n", "		ahead := r.filling\n		r.filling = cargo{Batches: kafka.NewBatches()}\n		r.tick()\n		if len(r.filling.All()) > 0 {\n			p, err := r.kafka.NewProducer(ctx)\n			if err != nil {\n				return err\n			}\n			if _, err := p.Produce(ctx, r.filling.All()); err != nil {\n				return err\n			}\n		}\n		r.filling = ahead\n"},
			{ticks, "if s == nil || !s.GetMarked() ||", "if false && s == nil || false &&"},
		}},
		{"11", "base time is the least over those heard so far", []edit{{ticks, "	if !some || !all {", "	if !some || !all && !held {"}}},
		{"12", "\"at the end\" read after the fetch", []edit{{run, "in.time = max(in.time, before)", "in.time = max(in.time, r.clock.now(r.cfg.Now()))"}}},
		{"12", "at the end whatever an open transaction hides", []edit{{run, "in.heard, in.atEnd, in.next = true, f.AtEnd(), f.Next", "in.heard, in.atEnd, in.next = true, f.Next == f.LastStable, f.Next"}}},
		{"12", "the machine's own clock", []edit{{clock, "	return c.at + now.Sub(c.since).Milliseconds()", "	return now.UnixMilli()"}}},
		{"13", "no fence: the transactional id is of this claim alone", []edit{{claim, "o.kafka.OpenTransactional(ctx, TransactionalID(o.cfg.Namespace, o.partition), o.cfg.TransactionTimeout)", "o.kafka.OpenTransactional(ctx, TransactionalID(o.cfg.Namespace, o.partition)+strconv.FormatUint(o.cfg.Random(), 36), o.cfg.TransactionTimeout)"}, {publish, "Generation: o.gen.ID, Member: o.gen.Member,", "Generation: -1,"}}},
		{"13", "K from tails alone", []edit{{claim, "published := max(e.offset, e.tail, checkpoint, 0)", "published := max(e.tail, 0)"}}},
		{"13", "K from the group's offset alone", []edit{{claim, "published := max(e.offset, e.tail, checkpoint, 0)", "published := max(e.offset, 0)"}}},
		{"14", "K lowered: a refold sends again what lies above R", []edit{{claim, "	o.said = o.published > checkpoint", "	o.published = o.committed\n	o.said = o.published > checkpoint"}}},
		{"15", "no check of token and commit id when reading", []edit{{partition, "	return p.holds(held.Val())\n}", "	_ = held\n	return nil\n}"}}},
		{"15", "no check of token and commit id when committing", []edit{{commit, "	if err := p.holds(held.Val()); err != nil {\n		return err\n	}\n	plan", "	plan"}}},
		{"15", "changed customers are evicted", []edit{{working, "	if h.place != nil {\n		w.used.Remove(h.place)\n		h.place = nil\n	}\n	w.dirty", "	w.dirty"}}},
		{"15", "due timers are not overlaid with what has changed", []edit{{working, "if h := w.held[t.ID]; h != nil && h.dirty {", "if h := w.held[t.ID]; false && h.dirty {"}}},
		{"16", "blobs read from the future: every snapshot has one name", []edit{{claim, "snapshot, commit := strconv.FormatUint(o.cfg.Random(), 36),", "snapshot, commit := \"only\","}}},
		{"17", "a transaction call repeated in place after a lost answer", []edit{{txn, "		res, err := ask[*endtxn.Response](ctx, t.w.c, Call{API: \"EndTxn\", TxnID: t.w.txnID}, broker, &endtxn.Request{", "	tries := 0\n	again:\n		res, err := ask[*endtxn.Response](ctx, t.w.c, Call{API: \"EndTxn\", TxnID: t.w.txnID}, broker, &endtxn.Request{"}, {txn, "		if err != nil {\n			return err\n		}\n		return named(\"EndTxn\", res.ErrorCode)", "		if err != nil {\n			if tries++; tries < 5 && ctx.Err() == nil {\n				goto again\n			}\n			return err\n		}\n		return named(\"EndTxn\", res.ErrorCode)"}}},
		{"17", "offset outside the transaction, before it", []edit{{publish, "	err := o.txn.Publish(ctx, kafka.Transaction{", "	if err := o.gen.CommitOffsets(ctx, []kafka.TopicPartitionOffset{{Topic: o.topic, Partition: o.partition, Offset: o.folded}}); err != nil {\n		return err\n	}\n	err := o.txn.Publish(ctx, kafka.Transaction{"}}},
		{"18", "commit before publish", []edit{{publish, "	if err := o.publish(ctx); err != nil {\n		return err\n	}\n	if o.folded == o.committed {", "	if o.folded == o.committed {"}}},
		{"18", "commit skips the timers", []edit{{working, "at != h.deadline || !h.known {", "false && at != h.deadline {"}}},
		{"18", "commit skips a timer that moved", []edit{{working, "at != h.deadline || !h.known {", "(at != h.deadline || !h.known) && h.deadline == 0 {"}}},
	}
}
