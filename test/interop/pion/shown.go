package main

import "time"

type piece struct {
	timestamp uint32
	marker    bool
}

// shown follows what a decoder could show: pictures that are whole, after those before them or from a keyframe on.
type shown struct {
	packets map[int64]piece
	starts  []int64 // keyframes that are not shown yet
	next    int64
	begun   bool
	at      []time.Time
}

// push takes a packet; parameters: it begins a keyframe.
func (s *shown) push(sequence int64, p piece, parameters bool, now time.Time) {
	if s.begun && sequence < s.next {
		return
	}
	if s.packets == nil {
		s.packets = map[int64]piece{}
	}
	s.packets[sequence] = p
	if parameters {
		s.starts = append(s.starts, sequence)
	}
	s.jump()
	for s.begun {
		last, whole := s.end(s.next)
		if !whole {
			return
		}
		for at := s.next; at <= last; at++ {
			delete(s.packets, at)
		}
		s.next = last + 1
		s.at = append(s.at, now)
	}
}

// jump goes on at a keyframe that is whole, whatever is missing before it.
func (s *shown) jump() {
	kept := s.starts[:0]
	for _, start := range s.starts {
		if s.begun && start <= s.next {
			continue
		}
		if _, whole := s.end(start); !whole {
			kept = append(kept, start)
			continue
		}
		for at := range s.packets {
			if at < start {
				delete(s.packets, at)
			}
		}
		s.next, s.begun = start, true
	}
	s.starts = kept
}

// end is the last packet of the picture that begins at a packet; false while it is not whole.
func (s *shown) end(from int64) (int64, bool) {
	for at := from; ; at++ {
		p, here := s.packets[at]
		if !here {
			return 0, false
		}
		if p.marker {
			return at, true
		}
	}
}

// longest is the longest time between two of them, or to the end.
func longest(times []time.Time, end time.Time) float64 {
	most := 0.0
	for i, at := range times {
		next := end
		if i+1 < len(times) {
			next = times[i+1]
		}
		most = max(most, float64(next.Sub(at))/1e6)
	}
	return most
}
