// Command viewers is the load of this benchmark and what it is compared with:
//
//	viewers load -url http://127.0.0.1:8889/x/whep -n 50 -pid 123   opens viewers, prints one JSON object
//	viewers joins -url http://127.0.0.1:8889/x/whep -n 1000           viewers that come and go, prints one JSON object
//	viewers serve -media media.bin                                  a WHEP server on Pion, each viewer with its own clock
//	viewers publish -media media.bin -url http://…/x/whip           sends to a WHIP server until it is stopped
package main

import (
	"fmt"
	"os"
)

func main() {
	commands := map[string]func([]string) error{"load": load, "joins": joins, "serve": serve, "publish": publish}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "viewers load | joins | serve | publish")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
