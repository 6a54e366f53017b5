// The same in Go with gorilla/websocket: one prepared message, one goroutine per connection that writes.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

func say(value any) {
	line, _ := json.Marshal(value)
	fmt.Println(string(line))
}

func main() {
	var lock sync.Mutex
	clients := map[chan *websocket.PreparedMessage]bool{}
	upgrader := websocket.Upgrader{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		queue := make(chan *websocket.PreparedMessage, 256)
		lock.Lock()
		clients[queue] = true
		lock.Unlock()
		go func() {
			for message := range queue {
				if conn.WritePreparedMessage(message) != nil {
					return
				}
			}
		}()
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
		}
	}))
	say(map[string]any{"url": "ws://" + listener.Addr().String()})
	input := bufio.NewScanner(os.Stdin)
	offset := 0
	for input.Scan() {
		words := strings.Fields(input.Text())
		switch words[0] {
		case "cpu":
			var usage syscall.Rusage
			syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
			say(map[string]any{"cpuMs": float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e6})
		case "memory":
			statm, _ := os.ReadFile("/proc/self/statm")
			pages, _ := strconv.Atoi(strings.Fields(string(statm))[1])
			say(map[string]any{"rss": pages * os.Getpagesize()})
		case "emit":
			count, _ := strconv.Atoi(words[1])
			perTurn, _ := strconv.Atoi(words[2])
			pause, _ := strconv.ParseFloat(words[3], 64)
			for n := 0; n < count; n += perTurn {
				for k := 0; k < perTurn; k++ {
					offset++
					now := float64(time.Now().UnixMicro()) / 1000
					text, _ := json.Marshal(struct {
						Type  string         `json:"type"`
						Kind  string         `json:"notification_type"`
						Data  map[string]any `json:"data"`
						Stamp float64        `json:"timestamp"`
						At    int            `json:"offset"`
					}{"notification", "custom_event", map[string]any{"t": now, "pad": strings.Repeat("x", 80)}, now / 1000, offset})
					message, _ := websocket.NewPreparedMessage(websocket.TextMessage, text)
					lock.Lock()
					for queue := range clients {
						queue <- message
					}
					lock.Unlock()
				}
				if n+perTurn < count {
					time.Sleep(time.Duration(pause * float64(time.Millisecond)))
				}
			}
			say(map[string]any{"emitted": count})
		}
	}
}
