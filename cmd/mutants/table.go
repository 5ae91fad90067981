package main

// mutants breaks every rule that code can break.
func mutants() []mutant {
	const (
		owner, claim, publish, working = "pkg/stream/fold/owner.go", "pkg/stream/fold/claim.go", "pkg/stream/fold/publish.go", "pkg/stream/fold/working.go"
		run, tick, clock               = "pkg/stream/intake/run.go", "pkg/stream/intake/tick.go", "pkg/stream/intake/clock.go"
		origin, ticks                  = "processors/origin.go", "processors/ticks.go"
		fetch, txn                     = "pkg/kafka/fetch.go", "pkg/kafka/transactional.go"
		partition, commit              = "pkg/redis/partition.go", "pkg/redis/commit.go"
		alerts                         = "processors/alerts.go"
	)
	const (
		silent     = "Silent: trigger == output.TriggerRefit || !p.evaluated(c.state),"
		loud       = "Silent: !p.evaluated(c.state),"
		overtakes  = "	if err := r.land(ctx); err != nil {\n		return err\n	}\n	r.filling, r.flying"
		overtaking = "	if before := r.flight; before != nil {\n		r.flight = nil\n		p, err := r.kafka.NewProducer(ctx)\n		if err != nil {\n			return err\n		}\n		r.producer = p\n"
	)
	return []mutant{
		{rule: "alerts", name: "history that comes late raises alerts", by: stories(), edits: []edit{{alerts, "Late: trigger == output.TriggerEvent && s.late(m),", "Late: false,"}}},
		{rule: "alerts", name: "a first evaluation raises alerts, in a story", by: stories(), edits: []edit{{alerts, silent, "Silent: trigger == output.TriggerRefit,"}}},
		{rule: "alerts", name: "a refit, new thresholds or changed rules raise alerts", by: stories(), edits: []edit{{alerts, "mode := alert.Mode{Silent: true, Tiered:", "mode := alert.Mode{Tiered:"}}},
		// Each of these alone is covered by the other: who is scored anew is looked at in silence, and so is who changed before his turn.
		{rule: "alerts", name: "new parameters are no reason for silence", by: stories(), edits: []edit{{alerts, "	p.alertTerms++\n", ""}, {alerts, silent, loud}}},
		{rule: "alerts", name: "new thresholds are no reason for silence", by: stories(), edits: []edit{{alerts, "c.Alerts.Terms == p.alertTerms+1 && c.Alerts.Thresholds == p.thresholds.GetVersion()", "c.Alerts.Terms == p.alertTerms+1"}, {alerts, silent, loud}}},
		{rule: "alerts", name: "the fuse holds nothing back", by: stories(), edits: []edit{{"processors/alert/fuse.go", "	if x.Raised >= limit {", "	if false && x.Raised >= limit {"}}},
		{rule: "alerts", name: "the fuse never mends", by: stories(), edits: []edit{{"processors/alert/fuse.go", "	if hour > x.Hour {", "	if false && hour > x.Hour {"}}},
		{rule: "alerts", name: "a condition need not last", by: stories(), edits: []edit{{"processors/alert/evaluate.go", "max(e.since(r)+r.forMS, x.Cool)", "max(e.since(r), x.Cool)"}}},
		{rule: "alerts", name: "no cool-down", by: stories(), edits: []edit{{"processors/alert/evaluate.go", "		cool = e.m.Now + r.coolMS\n", "		cool = e.m.Now\n"}}},
		{rule: "5", name: "an alert is raised again after a restart", edits: []edit{{"processors/customer/alerts.go", "Phase: Phase(min(e.GetPhase(), uint32(Cooling))),", "Phase: Pending,"}}},
		{rule: "6", name: "an alert forgets after a restart that it was raised", edits: []edit{{"processors/customer/alerts.go", "s.Alerts.Episodes = append(s.Alerts.Episodes, Episode{", "_ = append(s.Alerts.Episodes, Episode{"}}},
		{rule: "6", name: "a first evaluation raises alerts", edits: []edit{{alerts, silent, "Silent: trigger == output.TriggerRefit,"}}},
		{rule: "3", name: "no origin mark: what came twice counts twice", edits: []edit{{origin, "	if ok && !at.above(known) {\n		return DuplicateOrigin\n	}\n	if a :=", "	if a :="}}},
		{rule: "3", name: "no mark for entries from other partitions, credits by difference", edits: []edit{
			{origin, "ok && !at.above(known) {\n			return DuplicateOrigin\n		}\n		return Applied", "ok && !at.above(known) && false {\n			return DuplicateOrigin\n		}\n		return Applied"},
			{"processors/customer/referrals.go", "		s.credit += c.GetNet() - s.credits[i].net\n		s.credits[i].net = c.GetNet()", "		s.credit += c.GetNet()\n		s.credits[i].net += c.GetNet()"},
		}},
		{rule: "6", name: "a batch has one time, that of its first entry", edits: []edit{
			{owner, "type owner struct {", "type owner struct {\n	batchAt int64"},
			{owner, "	verdict, err := processors.Step(", "	if o.unpublished == 0 {\n		o.batchAt = o.entry.GetTime()\n	}\n	o.entry.Time = o.batchAt\n	verdict, err := processors.Step("},
		}},
		{rule: "7", name: "an entry's outputs over two transactions", edits: []edit{{publish, "	err := o.txn.Publish(ctx, kafka.Transaction{", "	if len(batches) > 1 {\n		if err := o.txn.Publish(ctx, kafka.Transaction{Batches: batches[:1]}); err != nil {\n			return err\n		}\n		batches = batches[1:]\n	}\n	err := o.txn.Publish(ctx, kafka.Transaction{"}}},
		{rule: "7", name: "more is woken than one entry may: no entry goes on", edits: []edit{{"processors/timers.go", "if (more || p.rescoring != nil) && !p.continuePending {", "if (more || p.rescoring != nil) && !p.continuePending && false {"}, {"processors/timers.go", "due = due[:min(limit, len(due))]", "due = due[:min(limit, len(due))]\n	if p.base%2 == 0 {\n		due = nil\n	}"}}},
		{rule: "7", name: "the cursor is lost on reclaim", edits: []edit{{"processors/partition.go", "p.latest, p.rescoring = w.GetLatest(), w.Rescoring", "p.latest = w.GetLatest()"}}},
		{rule: "7", name: "who is new since the last commit is left out of his class", edits: []edit{{working, "		if ledger.Class(id, classes) == class {", "		if false && ledger.Class(id, classes) == class {"}}},
		{rule: "19", name: "a credit is lost on reclaim", edits: []edit{{"processors/customer/wire.go", "		s.credits = append(s.credits, credit{from: from, net: w.CreditNet[i]})\n		s.credit += w.CreditNet[i]", "		_, _ = i, from"}}},
		{rule: "19", name: "a credit is applied twice", edits: []edit{{"processors/customer/referrals.go", "		s.credit += c.GetNet() - s.credits[i].net\n		s.credits[i].net = c.GetNet()", "		s.credit += c.GetNet()\n		s.credits[i].net = c.GetNet()"}}},
		{rule: "20", name: "a threshold is applied in a different place on replay", edits: []edit{{owner, "	out := &o.out\n	if r.Offset < o.published {", "	if r.Offset < o.published && o.entry.GetKind() == ledger.Kind_KIND_THRESHOLDS {\n		o.entry.Kind, o.entry.Payload = ledger.Kind_KIND_CHECKPOINT, nil\n	}\n	out := &o.out\n	if r.Offset < o.published {"}}},
		{rule: "9", name: "two produce requests in flight, positions settled with the first", edits: []edit{{run, overtakes, overtaking + "		r.settle()\n	}\n	r.filling, r.flying"}, {run, "	r.filling.reset()\n	if len(r.flying.All())", "	r.filling = cargo{Batches: kafka.NewBatches()}\n	if len(r.flying.All())"}}},
		{rule: "9", name: "two produce requests in flight, and a gap accepted", edits: []edit{
			{run, overtakes, overtaking + "		r.prev = before\n	}\n	r.filling, r.flying"},
			{run, "	flight := make(chan landed, 1)", "	flight := make(chan landed, 1)\n	before := r.prev\n	r.prev = nil"},
			{run, "		flight <- landed{acks, err, now()}", "		if before != nil {\n			if l := <-before; l.err != nil {\n				err = l.err\n			}\n		}\n		flight <- landed{acks, err, now()}"},
			{run, "type run struct {", "type run struct {\n	prev chan landed"},
			{run, "	r.filling.reset()\n	if len(r.flying.All())", "	r.filling = cargo{Batches: kafka.NewBatches()}\n	if len(r.flying.All())"},
			{origin, "!ok || after.above(known) {", "(!ok || after.above(known)) && false {"},
		}},
		{rule: "9", name: "input offsets committed before they are acknowledged", edits: []edit{{run, "	flight := make(chan landed, 1)", "	for _, p := range r.flying.reached {\n		p.input.acked, p.input.ackedOffset, p.input.ackedPrint = p.next, p.offset, p.print\n	}\n	flight := make(chan landed, 1)"}}},
		{rule: "10", name: "read uncommitted", edits: []edit{{fetch, "b = append(b, 1)                             // isolation level: read committed", "b = append(b, 0)"}}},
		// Each of these two alone is covered by the other: entries and ticks in one order, and a reading held against the marks.
		{rule: "11", name: "tick by another producer, and a reading without its entries believed", edits: []edit{
			{run, "		r.tick()\n", "		ahead := r.filling\n		r.filling = cargo{Batches: kafka.NewBatches()}\n		r.tick()\n		if len(r.filling.All()) > 0 {\n			p, err := r.kafka.NewProducer(ctx)\n			if err != nil {\n				return err\n			}\n			if _, err := p.Produce(ctx, r.filling.All()); err != nil {\n				return err\n			}\n		}\n		r.filling = ahead\n"},
			{ticks, "if s == nil || !s.GetMarked() ||", "if false && s == nil || false &&"},
		}},
		{rule: "11", name: "base time is the least over those heard so far", edits: []edit{{ticks, "	if !some || !all {", "	if !some || !all && !held {"}}},
		{rule: "12", name: "\"at the end\" read after the fetch", edits: []edit{{run, "in.time = max(in.time, before)", "in.time = max(in.time, r.clock.now(r.cfg.Now()))"}}},
		{rule: "12", name: "at the end whatever an open transaction hides", edits: []edit{{run, "in.heard, in.atEnd, in.next = true, f.AtEnd(), f.Next", "in.heard, in.atEnd, in.next = true, f.Next == f.LastStable, f.Next"}}},
		{rule: "12", name: "the machine's own clock", edits: []edit{{clock, "	return c.at + now.Sub(c.since).Milliseconds()", "	return now.UnixMilli()"}}},
		{rule: "13", name: "no fence: the transactional id is of this claim alone", edits: []edit{{claim, "o.kafka.OpenTransactional(ctx, TransactionalID(o.cfg.Namespace, o.partition), o.cfg.TransactionTimeout)", "o.kafka.OpenTransactional(ctx, TransactionalID(o.cfg.Namespace, o.partition)+strconv.FormatUint(o.cfg.Random(), 36), o.cfg.TransactionTimeout)"}, {publish, "Generation: o.gen.ID, Member: o.gen.Member,", "Generation: -1,"}}},
		{rule: "13", name: "K from tails alone", edits: []edit{{claim, "published := max(e.offset, e.tail, checkpoint, 0)", "published := max(e.tail, 0)"}}},
		{rule: "13", name: "K from the group's offset alone", edits: []edit{{claim, "published := max(e.offset, e.tail, checkpoint, 0)", "published := max(e.offset, 0)"}}},
		{rule: "13", name: "the offset is read before the fence", edits: []edit{
			{claim, "	txn, err := o.kafka.OpenTransactional(", "	evidence, err := readEvidence(ctx, o.kafka, o.cfg.Namespace, o.cfg.Genesis.GetLedgerId(), o.partition)\n	if err != nil {\n		return err\n	}\n	txn, err := o.kafka.OpenTransactional("},
			{claim, "	evidence, err := readEvidence(ctx, o.kafka, o.cfg.Namespace, o.cfg.Genesis.GetLedgerId(), o.partition)\n	if err != nil {\n		return err\n	}\n	meta, err", "	meta, err"},
		}},
		{rule: "14", name: "K lowered: a refold sends again what lies above R", edits: []edit{{claim, "	o.said = o.published > checkpoint", "	o.published = o.committed\n	o.said = o.published > checkpoint"}}},
		{rule: "15", name: "no check of token and commit id when reading", edits: []edit{{partition, "	return p.holds(held.Val())\n}", "	_ = held\n	return nil\n}"}}},
		{rule: "15", name: "no check of token and commit id when committing", edits: []edit{{commit, "	if err := p.holds(held.Val()); err != nil {\n		return err\n	}\n	plan", "	plan"}}},
		{rule: "15", name: "changed customers are evicted", edits: []edit{{working, "	if h.place != nil {\n		w.used.Remove(h.place)\n		h.place = nil\n	}\n	w.dirty", "	w.dirty"}}},
		{rule: "15", name: "due timers are not overlaid with what has changed", edits: []edit{{working, "if h := w.held[t.ID]; h != nil && h.dirty {", "if h := w.held[t.ID]; false && h.dirty {"}}},
		{rule: "16", name: "blobs read from the future: every snapshot has one name", edits: []edit{{claim, "snapshot, commit := strconv.FormatUint(o.cfg.Random(), 36),", "snapshot, commit := \"only\","}}},
		{rule: "17", name: "a transaction call repeated in place after a lost answer", edits: []edit{{txn, "		res, err := ask[*endtxn.Response](ctx, t.w.c, Call{API: \"EndTxn\", TxnID: t.w.txnID}, broker, &endtxn.Request{", "	tries := 0\n	again:\n		res, err := ask[*endtxn.Response](ctx, t.w.c, Call{API: \"EndTxn\", TxnID: t.w.txnID}, broker, &endtxn.Request{"}, {txn, "		if err != nil {\n			return err\n		}\n		return named(\"EndTxn\", res.ErrorCode)", "		if err != nil {\n			if tries++; tries < 5 && ctx.Err() == nil {\n				goto again\n			}\n			return err\n		}\n		return named(\"EndTxn\", res.ErrorCode)"}}},
		{rule: "17", name: "offset outside the transaction, before it", edits: []edit{{publish, "	err := o.txn.Publish(ctx, kafka.Transaction{", "	if err := o.gen.CommitOffsets(ctx, []kafka.TopicPartitionOffset{{Topic: o.topic, Partition: o.partition, Offset: o.folded}}); err != nil {\n		return err\n	}\n	err := o.txn.Publish(ctx, kafka.Transaction{"}}},
		{rule: "18", name: "commit before publish", edits: []edit{{publish, "	if err := o.publish(ctx); err != nil {\n		return err\n	}\n	if o.folded == o.committed {", "	if o.folded == o.committed {"}}},
		{rule: "18", name: "commit skips the timers", edits: []edit{{working, "at != h.deadline || !h.known {", "false && at != h.deadline {"}}},
		{rule: "18", name: "commit skips a timer that moved", edits: []edit{{working, "at != h.deadline || !h.known {", "(at != h.deadline || !h.known) && h.deadline == 0 {"}}},
	}
}
