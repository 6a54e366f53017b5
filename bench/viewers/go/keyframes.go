package main

import (
	"sync/atomic"

	"github.com/pion/rtp"
)

var received atomic.Int64

// keyframes finds the first whole H.264 keyframe of a stream.
type keyframes struct {
	begun, open, key bool
	next             uint16
	timestamp        uint32
}

// push reports the last packet of a keyframe that came whole and in order.
func (k *keyframes) push(p *rtp.Packet) bool {
	inOrder := !k.begun || p.SequenceNumber == k.next
	if !k.begun || k.timestamp != p.Timestamp || !inOrder {
		k.open, k.key = inOrder, false
	}
	k.begun, k.next, k.timestamp = true, p.SequenceNumber+1, p.Timestamp
	if len(p.Payload) > 2 {
		kind := p.Payload[0] & 31
		if kind == 28 && p.Payload[1]&0x80 != 0 {
			kind = p.Payload[1] & 31
		}
		k.key = k.key || kind == 5
	}
	return p.Marker && k.open && k.key
}
