package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"sync"
	"time"
)

type joinReport struct {
	Joins      int            `json:"joins"`
	Connected  int            `json:"connected"`
	Playing    int            `json:"playing"`
	AnswerMs   joinQuantiles  `json:"answer_ms"`
	CheckedMs  joinQuantiles  `json:"checked_ms"`
	ConnectMs  joinQuantiles  `json:"connect_ms"`
	FirstKeyMs joinQuantiles  `json:"first_keyframe_ms"`
	Errors     map[string]int `json:"errors,omitempty"`
}

type joinQuantiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// joins opens viewers at a steady rate, each of which leaves a while after its first keyframe: what a start costs.
func joins(args []string) error {
	flags := flag.NewFlagSet("joins", flag.ExitOnError)
	url := flags.String("url", "", "WHEP endpoint")
	n := flags.Int("n", 100, "joins")
	perSecond := flags.Float64("joins", 30, "viewers that join per second")
	stay := flags.Duration("stay", time.Second, "how long a viewer stays after it is connected")
	slow := flags.Duration("slow", 0, "tell of joins that take longer than this")
	_ = flags.Parse(args)

	r := joinReport{Joins: *n, Errors: map[string]int{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var answers, checks, connects, keys []float64
	begin := time.Now()
	for i := range *n {
		time.Sleep(time.Until(begin.Add(time.Duration(float64(i) / *perSecond * 1e9))))
		wg.Add(1)
		go func() {
			defer wg.Done()
			v := &viewer{up: make(chan struct{})}
			err := v.connect(*url)
			connected := time.Since(v.start)
			if err == nil {
				time.Sleep(*stay)
			}
			if v.pc != nil {
				_ = v.pc.Close()
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			mu.Lock()
			defer mu.Unlock()
			if *slow > 0 && v.firstKey > *slow {
				fmt.Fprintln(os.Stderr, "join", i, "answered", v.answered, "checked", v.checked, "connected", connected, "first keyframe", v.firstKey)
			}
			if err != nil {
				r.Errors[err.Error()]++
				return
			}
			r.Connected++
			answers = append(answers, float64(v.answered)/1e6)
			checks = append(checks, float64(v.checked)/1e6)
			connects = append(connects, float64(connected)/1e6)
			if v.firstKey > 0 {
				r.Playing++
				keys = append(keys, float64(v.firstKey)/1e6)
			}
		}()
	}
	wg.Wait()
	r.AnswerMs, r.CheckedMs = joinQuantilesOf(answers), joinQuantilesOf(checks)
	r.ConnectMs, r.FirstKeyMs = joinQuantilesOf(connects), joinQuantilesOf(keys)
	out, _ := json.Marshal(r)
	fmt.Println(string(out))
	return nil
}

func joinQuantilesOf(values []float64) joinQuantiles {
	if len(values) == 0 {
		return joinQuantiles{}
	}
	sort.Float64s(values)
	at := func(share float64) float64 {
		return round(values[min(len(values)-1, int(share*float64(len(values))))], 1)
	}
	return joinQuantiles{at(.5), at(.95), at(.99), at(1)}
}
