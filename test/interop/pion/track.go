package main

import (
	"time"

	"github.com/pion/rtp"
)

// track counts a stream's packets and finds its first whole H.264 keyframe.
type track struct {
	mime           string
	packets        int64
	first, highest int64
	seen           map[int64]struct{}
	open, key      bool
	timestamp      uint32
	sps, pps       bool
	shown          shown
	heard          []time.Time
	bytes          int64
}

// push reports the last packet of a keyframe that came whole.
func (t *track) push(p *rtp.Packet) bool {
	if t.seen == nil {
		t.seen = map[int64]struct{}{}
		t.first, t.highest = int64(p.SequenceNumber), int64(p.SequenceNumber)-1
	}
	sequence := t.highest + int64(int16(p.SequenceNumber-uint16(t.highest)))
	if _, twice := t.seen[sequence]; twice {
		return false
	}
	t.seen[sequence] = struct{}{}
	t.packets++
	t.bytes += int64(len(p.Payload))
	inOrder := sequence == t.highest+1
	t.highest = max(t.highest, sequence)
	if t.mime != "video/H264" {
		t.heard = append(t.heard, time.Now())
		return false
	}
	if !t.open || t.timestamp != p.Timestamp || !inOrder {
		t.open, t.key, t.timestamp = inOrder, false, p.Timestamp
	}
	hadSps := t.sps
	t.sps = false
	t.nal(p.Payload)
	begins := t.sps
	t.sps = t.sps || hadSps
	t.shown.push(sequence, piece{p.Timestamp, p.Marker}, begins, time.Now())
	return p.Marker && t.open && t.key && t.sps && t.pps
}

// lost counts numbers that never came.
func (t *track) lost() int64 {
	if t.seen == nil {
		return 0
	}
	return t.highest - t.first + 1 - t.packets
}

func (t *track) nal(payload []byte) {
	if len(payload) < 2 {
		return
	}
	switch kind := payload[0] & 31; kind {
	case 24: // STAP-A
		for rest := payload[1:]; len(rest) > 2; {
			size := int(rest[0])<<8 | int(rest[1])
			if size == 0 || len(rest) < 2+size {
				return
			}
			t.saw(rest[2] & 31)
			rest = rest[2+size:]
		}
	case 28: // FU-A
		if payload[1]&0x80 != 0 {
			t.saw(payload[1] & 31)
		}
	default:
		t.saw(kind)
	}
}

func (t *track) saw(kind byte) {
	switch kind {
	case 5:
		t.key = true
	case 7:
		t.sps = true
	case 8:
		t.pps = true
	}
}
