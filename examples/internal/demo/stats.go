package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/statemesh/statemesh/network"
)

// oneAtATime lets several goroutines write to one writer.
type oneAtATime struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

// Write implements io.Writer.
func (o *oneAtATime) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(b)
}

// NodeReport is what -stats writes for a node.
type NodeReport struct {
	Node  string
	Stats network.NodeStats
	Peers []PeerReport
}

// PeerReport is a network.PeerStatus with its error in words.
type PeerReport struct {
	network.PeerStatus
	Err string
}

// writeStats writes a line of JSON.
func writeStats(w io.Writer, node *network.Node) error {
	report := NodeReport{Node: node.Name(), Stats: node.Stats()}
	for _, p := range node.Peers() {
		r := PeerReport{PeerStatus: p}
		if p.Err != nil {
			r.Err = p.Err.Error()
		}
		report.Peers = append(report.Peers, r)
	}
	line, err := json.Marshal(report)
	if err == nil {
		_, err = fmt.Fprintf(w, "%s\n", line)
	}
	return err
}
