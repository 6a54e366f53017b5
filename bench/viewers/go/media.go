package main

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

type frame struct {
	video bool
	at    time.Duration
	data  []byte
}

// readMedia reads frames in order of time: kind (0 video as Annex B, 1 Opus), milliseconds, length, bytes.
func readMedia(path string) ([]frame, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var frames []frame
	for len(raw) >= 16 {
		at := math.Float64frombits(binary.LittleEndian.Uint64(raw[4:]))
		size := int(binary.LittleEndian.Uint32(raw[12:]))
		frames = append(frames, frame{raw[0] == 0, time.Duration(at * 1e6), raw[16 : 16+size]})
		raw = raw[16+size:]
	}
	if len(frames) == 0 {
		return nil, errors.New("no frames in " + path)
	}
	return frames, nil
}

func tracks() (video, audio *webrtc.TrackLocalStaticSample, err error) {
	h264 := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"}
	video, err = webrtc.NewTrackLocalStaticSample(h264, "video", "media")
	if err != nil {
		return
	}
	opus := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	audio, err = webrtc.NewTrackLocalStaticSample(opus, "audio", "media")
	return
}

// play sends the frames by the clock until done is closed, again and again when loop is set.
func play(frames []frame, video, audio *webrtc.TrackLocalStaticSample, loop bool, done <-chan struct{}) {
	for {
		start := time.Now()
		for _, f := range frames {
			if wait := time.Until(start.Add(f.at)); wait > 0 {
				select {
				case <-done:
					return
				case <-time.After(wait):
				}
			}
			track, duration := audio, 20*time.Millisecond
			if f.video {
				track, duration = video, time.Second/30
			}
			_ = track.WriteSample(media.Sample{Data: f.data, Duration: duration})
		}
		if !loop {
			return
		}
	}
}
