// A peer on go-libp2p that speaks this family's protocols as their specifications say: it asks a node, and serves a block.
//
//	go-libp2p [-noise] get <multiaddr> <cid>        the blocks of a DAG by /ipfs-kit/content/1.0.0, as lines of JSON
//	go-libp2p [-noise] ask <multiaddr> <json>       one object over /ipfs-kit/mcp/1.0.0; the reply as it came
//	go-libp2p [-noise] serve <file>                 serves the file as one raw block until standard input ends
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

const (
	contentProtocol = protocol.ID("/ipfs-kit/content/1.0.0")
	mcpProtocol     = protocol.ID("/ipfs-kit/mcp/1.0.0")
)

func main() {
	args := os.Args[1:]
	security := libp2p.Security(libp2ptls.ID, libp2ptls.New)
	if len(args) > 0 && args[0] == "-noise" {
		security = libp2p.Security(noise.ID, noise.New)
		args = args[1:]
	}
	if len(args) < 2 {
		fail(fmt.Errorf("get, ask or serve"))
	}
	own, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), security, libp2p.DisableRelay())
	if err != nil {
		fail(err)
	}
	defer own.Close()
	switch args[0] {
	case "get":
		err = get(open(own, args[1], contentProtocol), args[2])
	case "ask":
		err = ask(open(own, args[1], mcpProtocol), args[2])
	case "serve":
		err = serve(own, args[1])
	default:
		err = fmt.Errorf("what is %s?", args[0])
	}
	if err != nil {
		fail(err)
	}
}

func open(own host.Host, address string, name protocol.ID) network.Stream {
	info, err := peer.AddrInfoFromString(address)
	if err != nil {
		fail(err)
	}
	if err := own.Connect(context.Background(), *info); err != nil {
		fail(err)
	}
	stream, err := own.NewStream(context.Background(), info.ID, name)
	if err != nil {
		fail(err)
	}
	return stream
}

// ask sends one JSON object, leaves its half open as the specification allows, and prints what comes back.
func ask(stream network.Stream, object string) error {
	if _, err := stream.Write([]byte(object)); err != nil {
		return err
	}
	reply, err := io.ReadAll(stream)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(reply)
	return err
}

func say(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		fail(err)
	}
	fmt.Println(string(line))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
