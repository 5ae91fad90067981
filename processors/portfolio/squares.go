package portfolio

import "math/bits"

// Squares is a sum of squares of amounts, in 128 bits: the square of one great amount fills 64. Its zero value is 0. Like every sum of
// integers, it does not depend on the order of additions and subtractions.
type Squares struct{ High, Low uint64 }

// add adds (n 1) or subtracts (n -1) the square of an amount that is not negative.
func (s *Squares) add(amount, n int64) {
	high, low := bits.Mul64(uint64(amount), uint64(amount)) //nolint:gosec // not negative
	//mutant:spread-of-sum-stays insert n = 1
	if n < 0 {
		s.Low, low = bits.Sub64(s.Low, low, 0)
		s.High, _ = bits.Sub64(s.High, high, low)
		return
	}
	s.plus(Squares{high, low})
}

// plus adds another sum.
func (s *Squares) plus(other Squares) {
	var carry uint64
	s.Low, carry = bits.Add64(s.Low, other.Low, 0)
	s.High, _ = bits.Add64(s.High, other.High, carry)
}

// float returns the sum.
func (s Squares) float() float64 { return float64(float64(s.High)*(1<<64)) + float64(s.Low) }
