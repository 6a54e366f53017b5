package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
)

// Types of frames.
const (
	request = 0x01
	grant   = 0x02
	cancel  = 0x03
	block   = 0x10
	missing = 0x11
	end     = 0x12
	failure = 0x13
)

const (
	maxPayload = 2<<20 + 256
	maxRequest = 1 << 20
	window     = 4 << 20
	wholeFile  = 1<<53 - 1
)

func writeFrame(to io.Writer, kind byte, payload []byte) error {
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	_, err := to.Write(append(append(frame, kind), payload...))
	return err
}

func readFrame(from io.Reader, limit uint32) (byte, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length > limit {
		return 0, nil, fmt.Errorf("a frame of %d bytes", length)
	}
	payload := make([]byte, length)
	_, err := io.ReadFull(from, payload)
	return head[4], payload, err
}

func writeGrant(to io.Writer, total uint64) error {
	return writeFrame(to, grant, binary.BigEndian.AppendUint64(nil, total))
}

// get asks for the whole subtree of a CID, verifies each block and gives credit back as it is worked off.
func get(stream network.Stream, text string) error {
	root, err := cid.Decode(text)
	if err != nil {
		return err
	}
	if err := writeGrant(stream, window); err != nil {
		return err
	}
	item := append([]byte{0, byte(root.ByteLen())}, root.Bytes()...)
	item = binary.BigEndian.AppendUint64(item, 0)
	item = binary.BigEndian.AppendUint64(item, wholeFile)
	asked := binary.BigEndian.AppendUint32(nil, 1)
	asked = append(asked, 0)
	asked = binary.BigEndian.AppendUint16(asked, 1)
	if err := writeFrame(stream, request, append(asked, item...)); err != nil {
		return err
	}
	var costs, blocks, size uint64
	for {
		kind, payload, err := readFrame(stream, maxPayload)
		if err != nil {
			return fmt.Errorf("before END: %w", err)
		}
		if len(payload) < 4 || (kind != failure && binary.BigEndian.Uint32(payload) != 1) {
			return fmt.Errorf("a frame of another request")
		}
		rest := payload[4:]
		switch kind {
		case block, missing:
			costs += uint64(len(payload)) + 5
			id, err := cid.Cast(rest[1 : 1+rest[0]])
			if err != nil {
				return err
			}
			if kind == missing {
				say(map[string]any{"missing": id.String()})
				break
			}
			data := rest[1+rest[0]:]
			sum, err := id.Prefix().Sum(data)
			if err != nil || !sum.Equals(id) {
				return fmt.Errorf("%s: other bytes", id)
			}
			blocks++
			size += uint64(len(data))
			say(map[string]any{"cid": id.String(), "bytes": len(data)})
			if err := writeGrant(stream, costs+window); err != nil {
				return err
			}
		case end:
			said := map[string]any{"end": true, "blocks": binary.BigEndian.Uint32(rest), "bytes": binary.BigEndian.Uint64(rest[4:])}
			if binary.BigEndian.Uint32(rest) != uint32(blocks) || binary.BigEndian.Uint64(rest[4:]) != size {
				return fmt.Errorf("END says %v, %d blocks of %d bytes came", said, blocks, size)
			}
			say(said)
			if err := stream.CloseWrite(); err != nil {
				return err
			}
			// The sender closes its side then.
			_, err := io.ReadAll(stream)
			return err
		case failure:
			length := binary.BigEndian.Uint16(rest)
			say(map[string]any{"error": string(rest[2 : 2+length])})
			return nil
		default:
			return fmt.Errorf("a frame of type %x", kind)
		}
	}
}

// serve answers requests for one raw block, and MISSING for everything else, until standard input ends.
func serve(own host.Host, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	id, err := cid.V1Builder{Codec: cid.Raw, MhType: 0x12}.Sum(data)
	if err != nil {
		return err
	}
	own.SetStreamHandler(contentProtocol, func(stream network.Stream) {
		if err := answer(stream, id, data); err != nil {
			fmt.Fprintln(os.Stderr, err)
			stream.Reset()
		}
	})
	say(map[string]any{"address": fmt.Sprintf("%s/p2p/%s", own.Addrs()[0], own.ID()), "cid": id.String()})
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func answer(stream network.Stream, id cid.Cid, data []byte) error {
	var granted, sent uint64
	var waiting [][]byte
	for {
		kind, payload, err := readFrame(stream, maxRequest)
		if err == io.EOF {
			return stream.Close()
		}
		if err != nil {
			return err
		}
		switch kind {
		case grant:
			granted = max(granted, binary.BigEndian.Uint64(payload))
		case request:
			waiting = append(waiting, payload)
		case cancel:
		default:
			return fmt.Errorf("a frame of type %x", kind)
		}
		for len(waiting) > 0 && sent+uint64(len(data))+256 <= granted {
			cost, err := fulfil(stream, waiting[0], id, data)
			if err != nil {
				return err
			}
			sent += cost
			waiting = waiting[1:]
		}
	}
}

func fulfil(stream network.Stream, payload []byte, id cid.Cid, data []byte) (uint64, error) {
	number := payload[:4]
	items := binary.BigEndian.Uint16(payload[5:])
	rest := payload[7:]
	var cost, bytesSent uint64
	var blocks uint32
	for range items {
		kind, length := rest[0], int(rest[1])
		wanted := rest[2 : 2+length]
		rest = rest[2+length:]
		switch kind {
		case 0:
			rest = rest[16:]
		case 1:
			return 0, fmt.Errorf("children of %s: a raw block has none", hex.EncodeToString(wanted))
		}
		head := append(append([]byte{}, number...), byte(length))
		head = append(head, wanted...)
		if !bytes.Equal(wanted, id.Bytes()) {
			if err := writeFrame(stream, missing, head); err != nil {
				return 0, err
			}
			cost += uint64(len(head)) + 5
			continue
		}
		if err := writeFrame(stream, block, append(head, data...)); err != nil {
			return 0, err
		}
		cost += uint64(len(head)+len(data)) + 5
		blocks++
		bytesSent += uint64(len(data))
	}
	last := binary.BigEndian.AppendUint32(append([]byte{}, number...), blocks)
	return cost, writeFrame(stream, end, binary.BigEndian.AppendUint64(last, bytesSent))
}
