package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

type viewer struct {
	pc    *webrtc.PeerConnection
	start time.Time
	up    chan struct{}
	// answered and checked are how long the answer took, and ICE.
	answered, checked time.Duration

	mu       sync.Mutex
	err      error
	firstKey time.Duration
	streams  []*stream
}

// stream follows one SSRC: packets, numbers that never came, and how far arrival falls behind the media clock.
type stream struct {
	clock                  float64
	packets, first, top    int64
	seen                   map[int64]struct{}
	began                  time.Time
	firstTime, time        int64
	least, lag             float64
	markPackets, markFirst int64
}

func (s *stream) push(p *rtp.Packet, now time.Time) {
	if s.seen == nil {
		s.seen = map[int64]struct{}{}
		s.first, s.top = int64(p.SequenceNumber), int64(p.SequenceNumber)-1
		s.markFirst = s.first
		s.began, s.firstTime, s.time = now, int64(p.Timestamp), int64(p.Timestamp)
		s.least = math.Inf(1)
	}
	sequence := s.top + int64(int16(p.SequenceNumber-uint16(s.top)))
	if _, twice := s.seen[sequence]; twice {
		return
	}
	s.seen[sequence] = struct{}{}
	s.packets++
	s.top = max(s.top, sequence)
	s.time += int64(int32(p.Timestamp - uint32(s.time)))
	drift := now.Sub(s.began).Seconds() - float64(s.time-s.firstTime)/s.clock
	s.least = min(s.least, drift)
	s.lag = max(s.lag, drift-s.least)
}

// mark begins the measured window.
func (s *stream) mark() { s.markPackets, s.markFirst, s.lag = s.packets, s.top+1, 0 }

type report struct {
	Viewers    int            `json:"viewers"`
	Connected  int            `json:"connected"`
	Playing    int            `json:"playing"`
	Packets    int64          `json:"packets"`
	Lost       int64          `json:"lost"`
	LostPct    float64        `json:"lost_pct"`
	Mbps       float64        `json:"mbps"`
	FirstKeyMs quantiles      `json:"first_keyframe_ms"`
	LagMs      quantiles      `json:"lag_ms"`
	CPUCores   float64        `json:"server_cpu_cores"`
	RSSKB      int            `json:"server_rss_kb"`
	RSSIdleKB  int            `json:"server_rss_idle_kb"`
	ClientCPU  float64        `json:"client_cpu_cores"`
	Errors     map[string]int `json:"errors,omitempty"`
}

type quantiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	Max float64 `json:"max"`
}

func load(args []string) error {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	url := flags.String("url", "", "WHEP endpoint")
	n := flags.Int("n", 1, "viewers")
	perSecond := flags.Float64("joins", 30, "viewers that join per second")
	settle := flags.Duration("settle", 2*time.Second, "time between the last join and the measured window")
	window := flags.Duration("window", 8*time.Second, "measured time")
	pid := flags.Int("pid", 0, "process of the server")
	_ = flags.Parse(args)

	r := report{Viewers: *n, RSSIdleKB: rss(*pid), Errors: map[string]int{}}
	viewers := make([]*viewer, *n)
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range viewers {
		time.Sleep(time.Until(begin.Add(time.Duration(float64(i) / *perSecond * 1e9))))
		v := &viewer{up: make(chan struct{})}
		viewers[i] = v
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := v.connect(*url); err != nil {
				v.mu.Lock()
				v.err = err
				v.mu.Unlock()
			}
		}()
	}
	wg.Wait()
	time.Sleep(*settle)
	for _, v := range viewers {
		v.mu.Lock()
		for _, s := range v.streams {
			s.mark()
		}
		v.mu.Unlock()
	}
	start, cpu0, own0 := time.Now(), cpu(*pid), cpu(os.Getpid())
	bytes0 := received.Load()
	time.Sleep(*window)
	elapsed := time.Since(start).Seconds()
	r.CPUCores = round((cpu(*pid)-cpu0)/elapsed, 3)
	r.ClientCPU = round((cpu(os.Getpid())-own0)/elapsed, 3)
	r.Mbps = round(float64(received.Load()-bytes0)*8/elapsed/1e6, 1)
	r.RSSKB = rss(*pid)
	var keys, lags []float64
	for _, v := range viewers {
		v.add(&r, &keys, &lags)
	}
	r.FirstKeyMs, r.LagMs = quantilesOf(keys), quantilesOf(lags)
	if total := r.Packets + r.Lost; total > 0 {
		r.LostPct = round(100*float64(r.Lost)/float64(total), 3)
	}
	for _, v := range viewers {
		if v.pc != nil {
			_ = v.pc.Close()
		}
	}
	out, _ := json.Marshal(r)
	fmt.Println(string(out))
	return nil
}

// newPeer is a viewer as a browser is one: NACK, reports, transport-wide feedback; loopback only.
func newPeer() (*webrtc.PeerConnection, error) {
	m := &webrtc.MediaEngine{}
	registry := &interceptor.Registry{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	if err := webrtc.ConfigureNack(m, registry); err != nil {
		return nil, err
	}
	if err := webrtc.ConfigureRTCPReports(registry); err != nil {
		return nil, err
	}
	if err := webrtc.ConfigureTWCCSender(m, registry); err != nil {
		return nil, err
	}
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	return webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
}

func (v *viewer) connect(url string) error {
	pc, err := newPeer()
	if err != nil {
		return err
	}
	v.pc = pc
	pc.OnTrack(v.onTrack)
	pc.OnICEConnectionStateChange(func(state webrtc.ICEConnectionState) {
		if state == webrtc.ICEConnectionStateConnected {
			v.mu.Lock()
			v.checked = time.Since(v.start)
			v.mu.Unlock()
		}
	})
	var once sync.Once
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(v.up) })
		}
	})
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			return err
		}
	}
	v.start = time.Now()
	if err := exchange(pc, url); err != nil {
		return err
	}
	v.answered = time.Since(v.start)
	select {
	case <-v.up:
		return nil
	case <-time.After(10 * time.Second):
		return fmt.Errorf("not connected within 10 s")
	}
}

func (v *viewer) onTrack(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	s := &stream{clock: float64(t.Codec().ClockRate)}
	v.mu.Lock()
	v.streams = append(v.streams, s)
	v.mu.Unlock()
	video := t.Kind() == webrtc.RTPCodecTypeVideo
	if video {
		go v.askForKeyframe(t)
	}
	keys := keyframes{}
	buffer := make([]byte, 1600)
	var p rtp.Packet
	for {
		n, _, err := t.Read(buffer)
		if err != nil {
			return
		}
		if p.Unmarshal(buffer[:n]) != nil {
			continue
		}
		received.Add(int64(n))
		now := time.Now()
		v.mu.Lock()
		s.push(&p, now)
		if video && keys.push(&p) && v.firstKey == 0 {
			v.firstKey = now.Sub(v.start)
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

func (v *viewer) add(r *report, keys, lags *[]float64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		r.Errors[v.err.Error()]++
		return
	}
	r.Connected++
	if v.firstKey > 0 {
		r.Playing++
		*keys = append(*keys, float64(v.firstKey)/1e6)
	}
	for _, s := range v.streams {
		packets := s.packets - s.markPackets
		r.Packets += packets
		r.Lost += max(0, s.top+1-s.markFirst-packets)
		*lags = append(*lags, s.lag*1000)
	}
}

func quantilesOf(values []float64) quantiles {
	if len(values) == 0 {
		return quantiles{}
	}
	sort.Float64s(values)
	at := func(share float64) float64 {
		return round(values[max(0, int(math.Ceil(share*float64(len(values))))-1)], 1)
	}
	return quantiles{at(.5), at(.95), at(1)}
}

func round(value float64, digits int) float64 {
	factor := math.Pow10(digits)
	return math.Round(value*factor) / factor
}

// cpu is the processor time of a process, seconds, all threads, kernel included.
func cpu(pid int) float64 {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

func rss(pid int) int {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(raw))[1])
	return pages * os.Getpagesize() / 1024
}
