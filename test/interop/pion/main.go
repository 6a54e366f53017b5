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
	seek := flag.Float64("seek", -1, "seek there over the data channel, seconds, half way through")
	flag.Parse()

	viewers := make([]*viewer, *n)
	var wg sync.WaitGroup
	for i := range viewers {
		viewers[i] = newViewer(*url, *cid)
		wg.Add(1)
		go func() {
			defer wg.Done()
			viewers[i].fail(viewers[i].connect(*timeout))
		}()
	}
	wg.Wait()
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

func at(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	index := int(math.Ceil(share*float64(len(sorted)))) - 1
	return math.Round(sorted[max(0, index)]*10) / 10
}
