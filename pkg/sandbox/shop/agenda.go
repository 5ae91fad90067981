package shop

import "container/heap"

// agenda is what is still to come, in order of time and, within a second, in the order in which it was planned.
type agenda struct {
	steps   []planned
	planned uint64
}

type planned struct {
	at  int64 // seconds since 1970
	seq uint64
	do  func()
}

func (a *agenda) plan(at int64, do func()) {
	a.planned++
	heap.Push(a, planned{at: at, seq: a.planned, do: do})
}

func (a *agenda) next() planned { return heap.Pop(a).(planned) }

// Len, Less, Swap, Push and Pop are heap.Interface.
func (a *agenda) Len() int { return len(a.steps) }

func (a *agenda) Less(i, j int) bool {
	if a.steps[i].at != a.steps[j].at {
		return a.steps[i].at < a.steps[j].at
	}
	return a.steps[i].seq < a.steps[j].seq
}

func (a *agenda) Swap(i, j int) { a.steps[i], a.steps[j] = a.steps[j], a.steps[i] }

func (a *agenda) Push(x any) { a.steps = append(a.steps, x.(planned)) }

func (a *agenda) Pop() any {
	last := len(a.steps) - 1
	p := a.steps[last]
	a.steps[last] = planned{} // let go of what it holds
	a.steps = a.steps[:last]
	return p
}
