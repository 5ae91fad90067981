package shop

import "container/heap"

// schedule holds the steps that are still to run, in order of time and, within a second, in the order in which they were planned.
type schedule struct {
	steps   []planned
	planned uint64
}

type planned struct {
	at  int64 // seconds since 1970
	seq uint64
	run func()
}

func (a *schedule) plan(at int64, do func()) {
	a.planned++
	heap.Push(a, planned{at: at, seq: a.planned, run: do})
}

func (a *schedule) next() planned { return heap.Pop(a).(planned) }

// Len, Less, Swap, Push and Pop are heap.Interface.
func (a *schedule) Len() int { return len(a.steps) }

func (a *schedule) Less(i, j int) bool {
	if a.steps[i].at != a.steps[j].at {
		return a.steps[i].at < a.steps[j].at
	}
	return a.steps[i].seq < a.steps[j].seq
}

func (a *schedule) Swap(i, j int) { a.steps[i], a.steps[j] = a.steps[j], a.steps[i] }

func (a *schedule) Push(x any) { a.steps = append(a.steps, x.(planned)) }

func (a *schedule) Pop() any {
	last := len(a.steps) - 1
	p := a.steps[last]
	a.steps[last] = planned{} // let its closure be collected
	a.steps = a.steps[:last]
	return p
}
