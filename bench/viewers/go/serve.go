package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

// newAPI is Pion as its documentation sets it up, on the loopback interface. With mux, all connections share one socket.
func newAPI(mux bool) (*webrtc.API, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	if err := webrtc.RegisterDefaultInterceptors(m, registry); err != nil {
		return nil, err
	}
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	if mux {
		socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, err
		}
		_ = socket.SetWriteBuffer(4 << 20)
		_ = socket.SetReadBuffer(4 << 20)
		settings.SetICEUDPMux(webrtc.NewICEUDPMux(nil, socket))
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings)), nil
}

func serve(args []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	path := flags.String("media", "", "frames")
	_ = flags.Parse(args)
	frames, err := readMedia(*path)
	if err != nil {
		return err
	}
	api, err := newAPI(true)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("{\"url\":\"http://%s/whep\"}\n", listener.Addr())
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); os.Exit(0) }()
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		offer, _ := io.ReadAll(r.Body)
		sdp, err := answer(api, frames, string(offer))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/sdp")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, sdp)
	}))
}

func answer(api *webrtc.API, frames []frame, offer string) (string, error) {
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	video, audio, err := tracks()
	if err != nil {
		return "", err
	}
	for _, track := range []webrtc.TrackLocal{video, audio} {
		sender, err := pc.AddTrack(track)
		if err != nil {
			return "", err
		}
		go func() { // what the viewer reports reaches the interceptors only when it is read
			buffer := make([]byte, 1500)
			for {
				if _, _, err := sender.Read(buffer); err != nil {
					return
				}
			}
		}()
	}
	done, once := make(chan struct{}), sync.Once{}
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			go play(frames, video, audio, false, done)
		case webrtc.PeerConnectionStateDisconnected, webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			once.Do(func() { close(done); go pc.Close() })
		}
	})
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	local, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	return gathered(pc, local)
}

func gathered(pc *webrtc.PeerConnection, local webrtc.SessionDescription) (string, error) {
	complete := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(local); err != nil {
		return "", err
	}
	<-complete
	return pc.LocalDescription().SDP, nil
}

// exchange posts our description and takes the answer.
func exchange(pc *webrtc.PeerConnection, url string) error {
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	sdp, err := gathered(pc, offer)
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 15 * time.Second}
	response, err := client.Post(url, "application/sdp", strings.NewReader(sdp))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %.200s", response.Status, body)
	}
	return pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(body)})
}

func publish(args []string) error {
	flags := flag.NewFlagSet("publish", flag.ExitOnError)
	path := flags.String("media", "", "frames")
	url := flags.String("url", "", "WHIP endpoint")
	_ = flags.Parse(args)
	frames, err := readMedia(*path)
	if err != nil {
		return err
	}
	api, err := newAPI(false)
	if err != nil {
		return err
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return err
	}
	video, audio, err := tracks()
	if err != nil {
		return err
	}
	for _, track := range []webrtc.TrackLocal{video, audio} {
		if _, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
			return err
		}
	}
	up := make(chan struct{})
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			close(up)
		}
	})
	if err := exchange(pc, *url); err != nil {
		return err
	}
	<-up
	fmt.Println(`{"url":"published"}`)
	go play(frames, video, audio, true, nil)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return pc.Close()
}
