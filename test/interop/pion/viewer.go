package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

type viewer struct {
	url, cid string
	whep     bool
	pc       *webrtc.PeerConnection
	ws       *websocket.Conn
	up       chan struct{}
	once     sync.Once

	mu       sync.Mutex
	start    time.Time
	err      error
	control  *webrtc.DataChannel
	messages int
	firstKey time.Duration
	tracks   []*track
}

type message struct {
	Type    string `json:"type"`
	CID     string `json:"cid,omitempty"`
	SDP     string `json:"sdp,omitempty"`
	SDPType string `json:"sdpType,omitempty"`
	PCID    string `json:"pc_id,omitempty"`
	Message string `json:"message,omitempty"`
}

func newViewer(url, cid string) *viewer {
	return &viewer{url: url, cid: cid, up: make(chan struct{})}
}

func (v *viewer) fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err == nil {
		v.err = err
	}
}

// configureNack asks for what is missing every 20 ms, as browsers do; Pion's own way is every 100.
func configureNack(m *webrtc.MediaEngine, reg *interceptor.Registry) error {
	generator, err := nack.NewGeneratorInterceptor(nack.GeneratorInterval(20 * time.Millisecond))
	if err != nil {
		return err
	}
	m.RegisterFeedback(webrtc.RTCPFeedback{Type: "nack"}, webrtc.RTPCodecTypeVideo)
	m.RegisterFeedback(webrtc.RTCPFeedback{Type: "nack", Parameter: "pli"}, webrtc.RTPCodecTypeVideo)
	reg.Add(generator)
	return nil
}

// newPeer makes a connection as a browser would: NACK, reports and transport-wide feedback, loopback only.
func newPeer() (*webrtc.PeerConnection, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	reg := &interceptor.Registry{}
	if err := errors.Join(configureNack(m, reg), webrtc.ConfigureRTCPReports(reg), webrtc.ConfigureTWCCSender(m, reg)); err != nil {
		return nil, err
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(reg), webrtc.WithSettingEngine(s))
	return api.NewPeerConnection(webrtc.Configuration{})
}

// connect returns once media can flow.
func (v *viewer) connect(timeout time.Duration) error {
	var err error
	if v.pc, err = newPeer(); err != nil {
		return err
	}
	v.pc.OnTrack(v.onTrack)
	v.pc.OnDataChannel(v.onDataChannel)
	v.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			v.once.Do(func() { close(v.up) })
		}
	})
	if v.whep {
		err = v.postOffer()
	} else {
		err = v.requestOffer()
	}
	if err != nil {
		return err
	}
	select {
	case <-v.up:
		return nil
	case <-time.After(timeout):
		return fmt.Errorf("not connected within %s", timeout)
	}
}

func (v *viewer) begin() {
	v.mu.Lock()
	v.start = time.Now()
	v.mu.Unlock()
}

func (v *viewer) requestOffer() error {
	var err error
	if v.ws, _, err = websocket.DefaultDialer.Dial(v.url, nil); err != nil {
		return err
	}
	v.begin()
	if err := v.ws.WriteJSON(message{Type: "offer_request", CID: v.cid}); err != nil {
		return err
	}
	return v.signal()
}

// postOffer is WHEP (draft-ietf-wish-whep): the viewer's offer is answered in one request.
func (v *viewer) postOffer() error {
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		init := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
		if _, err := v.pc.AddTransceiverFromKind(kind, init); err != nil {
			return err
		}
	}
	offer, err := v.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	sdp, err := v.local(offer)
	if err != nil {
		return err
	}
	v.begin()
	response, err := http.Post(v.url, "application/sdp", strings.NewReader(sdp))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("%s: %s", response.Status, body)
	}
	return v.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(body)})
}

func (v *viewer) signal() error {
	for {
		var m message
		if err := v.ws.ReadJSON(&m); err != nil {
			return err
		}
		switch m.Type {
		case "error":
			return errors.New(m.Message)
		case "offer":
			if err := v.answer(m); err != nil {
				return err
			}
		case "connected":
			go func() { // keep the socket drained
				for {
					if _, _, err := v.ws.ReadMessage(); err != nil {
						return
					}
				}
			}()
			return nil
		}
	}
}

func (v *viewer) answer(m message) error {
	if err := v.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: m.SDP}); err != nil {
		return err
	}
	answer, err := v.pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	sdp, err := v.local(answer)
	if err != nil {
		return err
	}
	return v.ws.WriteJSON(message{Type: "answer", PCID: m.PCID, SDP: sdp, SDPType: "answer"})
}

// local sets the local description and gives it back with all candidates in it.
func (v *viewer) local(description webrtc.SessionDescription) (string, error) {
	gathered := webrtc.GatheringCompletePromise(v.pc)
	if err := v.pc.SetLocalDescription(description); err != nil {
		return "", err
	}
	<-gathered
	return v.pc.LocalDescription().SDP, nil
}

func (v *viewer) onDataChannel(d *webrtc.DataChannel) {
	if d.Label() != "control" {
		return
	}
	v.mu.Lock()
	v.control = d
	v.mu.Unlock()
	d.OnMessage(func(m webrtc.DataChannelMessage) {
		if json.Valid(m.Data) {
			v.mu.Lock()
			v.messages++
			v.mu.Unlock()
		}
	})
}

func (v *viewer) seek(seconds float64) {
	v.mu.Lock()
	control := v.control
	v.mu.Unlock()
	if control == nil {
		v.fail(errors.New("no control channel"))
		return
	}
	v.fail(control.SendText(fmt.Sprintf(`{"type":"seek","positionSeconds":%g}`, seconds)))
}

func (v *viewer) onTrack(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	tr := &track{mime: t.Codec().MimeType}
	v.mu.Lock()
	v.tracks = append(v.tracks, tr)
	v.mu.Unlock()
	if t.Kind() == webrtc.RTPCodecTypeVideo {
		go v.askForKeyframe(t)
	}
	buf := make([]byte, 1600)
	var p rtp.Packet
	for {
		n, _, err := t.Read(buf)
		if err != nil {
			return
		}
		if p.Unmarshal(buf[:n]) != nil {
			continue
		}
		v.mu.Lock()
		if tr.push(&p) && v.firstKey == 0 {
			v.firstKey = time.Since(v.start)
		}
		v.mu.Unlock()
	}
}

// askForKeyframe asks every half second until one is here.
func (v *viewer) askForKeyframe(t *webrtc.TrackRemote) {
	for range 20 {
		time.Sleep(500 * time.Millisecond)
		v.mu.Lock()
		done := v.firstKey != 0
		v.mu.Unlock()
		if done || v.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(t.SSRC())}}) != nil {
			return
		}
	}
}

func (v *viewer) add(r *result, first *[]float64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		r.Errors = append(r.Errors, v.err.Error())
	}
	if v.pc == nil {
		return
	}
	state := v.pc.ConnectionState()
	r.States[state.String()]++
	if state == webrtc.PeerConnectionStateConnected {
		r.Connected++
	}
	if v.firstKey > 0 {
		r.Playing++
		*first = append(*first, float64(v.firstKey)/1e6)
	}
	r.Control += v.messages
	for _, t := range v.tracks {
		r.Tracks[t.mime]++
		r.Packets += t.packets
		r.Lost += t.lost()
	}
}

// plays is true once there was a picture, or a second of sound.
func (v *viewer) plays() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, t := range v.tracks {
		if len(t.shown.at) > 0 || len(t.heard) > 50 {
			return true
		}
	}
	return false
}

func (v *viewer) seen() seen {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	var s seen
	for _, t := range v.tracks {
		s.Bytes += t.bytes
		if t.mime != "video/H264" {
			s.SilenceMs = longest(t.heard, now)
			continue
		}
		s.Pictures = len(t.shown.at)
		s.FreezeMs = longest(t.shown.at, now)
		for _, at := range t.shown.at {
			if now.Sub(at) < 2*time.Second {
				s.Last++
			}
		}
	}
	if v.pc != nil {
		s.State = v.pc.ConnectionState().String()
	}
	return s
}

func (v *viewer) close() {
	if v.ws != nil {
		v.ws.Close()
	}
	if v.pc != nil {
		v.pc.Close()
	}
}
