// Command pion opens viewers on a node's signalling socket and prints what they met as one JSON object.
// The exit status is 1 when a viewer does not connect.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"sort"
	"sync"
	"time"
)

type result struct {
	Viewers    int            `json:"viewers"`
	Connected  int            `json:"connected"`
	Playing    int            `json:"playing"`
	Packets    int64          `json:"packets"`
	Lost       int64          `json:"lost"`
	FirstKeyMs quantiles      `json:"first_keyframe_ms"`
	States     map[string]int `json:"states"`
	Tracks     map[string]int `json:"tracks"`
	Control    int            `json:"control_messages"`
	Errors     []string       `json:"errors,omitempty"`
	Each       []seen         `json:"each,omitempty"`
}

// seen is what one viewer met.
type seen struct {
	Pictures  int     `json:"pictures"`
	FreezeMs  float64 `json:"freeze_ms"`
	SilenceMs float64 `json:"silence_ms"`
	Bytes     int64   `json:"bytes"`
	// Pictures of the last two seconds.
	Last  int    `json:"last"`
	State string `json:"state"`
}

type quantiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
}

func main() {
	url := flag.String("url", "", "signalling WebSocket")
	cid := flag.String("cid", "", "content to ask for")
	n := flag.Int("n", 1, "viewers")
	duration := flag.Duration("duration", 5*time.Second, "time to watch once all are connected")
	timeout := flag.Duration("timeout", 10*time.Second, "time to connect")
	whep := flag.Bool("whep", false, "the URL is a WHEP endpoint: the viewer makes the offer, and there is no control channel")
	seek := flag.Float64("seek", -1, "seek there over the data channel, seconds, half way through")
	watch := flag.Bool("watch", false, "say when all have a picture, or a second of sound; watch from then on, and tell of each viewer")
	flag.Parse()

	viewers := make([]*viewer, *n)
	var wg sync.WaitGroup
	for i := range viewers {
		viewers[i] = newViewer(*url, *cid)
		viewers[i].whep = *whep
		wg.Add(1)
		go func() {
			defer wg.Done()
			viewers[i].fail(viewers[i].connect(*timeout))
		}()
	}
	wg.Wait()
	if *watch {
		awaitAll(viewers, *timeout)
		fmt.Println("playing")
	}
	time.Sleep(*duration / 2)
	if *seek >= 0 {
		for _, v := range viewers {
			v.seek(*seek)
		}
	}
	time.Sleep(*duration / 2)

	r := result{Viewers: *n, States: map[string]int{}, Tracks: map[string]int{}}
	var first []float64
	for _, v := range viewers {
		v.add(&r, &first)
		if *watch {
			r.Each = append(r.Each, v.seen())
		}
		v.close()
	}
	sort.Float64s(first)
	r.FirstKeyMs = quantiles{at(first, .5), at(first, .95)}
	out, _ := json.Marshal(r)
	fmt.Println(string(out))
	if r.Connected < r.Viewers {
		os.Exit(1)
	}
}

func awaitAll(viewers []*viewer, timeout time.Duration) {
	deadline := time.Now().Add(timeout)
	for _, v := range viewers {
		for !v.plays() && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func at(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	index := int(math.Ceil(share*float64(len(sorted)))) - 1
	return math.Round(sorted[max(0, index)]*10) / 10
}
