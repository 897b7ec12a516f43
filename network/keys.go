package network

import (
	"errors"
	"os"
	"slices"
	"time"

	"github.com/statemesh/statemesh/network/seal"
)

// keyList is the keys of a channel: the first one seals, all of them open.
type keyList []seal.Key

func (l keyList) derive(label string) keyList {
	derived := make(keyList, len(l))
	for i, k := range l {
		derived[i] = k.Derive(label)
	}
	return derived
}

func (l keyList) equal(other keyList) bool {
	return slices.EqualFunc(l, other, seal.Key.Equal)
}

// keyLists are the keys of a node.
type keyLists struct {
	mesh, trace, spy keyList
}

// of returns the keys of an exchange's channel.
func (l keyLists) of(exchange string) keyList {
	switch exchange {
	case ExchangeTrace:
		return l.trace.derive(exchange)
	case ExchangeSpy:
		return l.spy.derive(exchange)
	}
	return l.mesh.derive(exchange)
}

// keyLists returns what the Config says. The keys of trace and spy follow from the mesh
// keys unless they are set.
func (c *Config) keyLists() keyLists {
	list := func(first seal.Key, more []seal.Key) (l keyList) {
		for _, k := range append([]seal.Key{first}, more...) {
			if !k.IsZero() && !slices.ContainsFunc(l, k.Equal) {
				l = append(l, k)
			}
		}
		return l
	}
	l := keyLists{mesh: list(c.MeshKey, c.OpenMeshKeys), trace: list(c.TraceKey, c.OpenTraceKeys), spy: list(c.SpyKey, c.OpenSpyKeys)}
	if c.TraceKey.IsZero() {
		l.trace = append(l.mesh.derive("trace"), l.trace...)
	}
	if c.SpyKey.IsZero() {
		l.spy = append(l.mesh.derive("spy"), l.spy...)
	}
	return l
}

// change makes the ring hold these keys, and no others, without a moment in which a
// message could not be sealed or opened that can be before and after.
func change(r *seal.Ring, keys keyList) error {
	var errs []error
	for i, k := range keys {
		if i == 0 {
			errs = append(errs, r.Use(k))
		} else {
			errs = append(errs, r.Add(k))
		}
	}
	for _, id := range r.Opening() {
		if !slices.ContainsFunc(keys, func(k seal.Key) bool { return k.ID() == id }) {
			errs = append(errs, r.Retire(id))
		}
	}
	return errors.Join(errs...)
}

// ChangeKeys makes the node seal with other keys and open with others: MeshKey, TraceKey
// and SpyKey of the Config seal, those and OpenMeshKeys, OpenTraceKeys and OpenSpyKeys
// open. Other fields are not looked at. No MeshKey is ErrConfig.
//
// To change the key of a running mesh without losing an event: first add the new one to
// OpenMeshKeys on every node; then make it the MeshKey on every node, and the old one one of
// OpenMeshKeys; then, when what was sealed with the old one has arrived or expired, leave
// the old one out. Nodes whose keys are in .env do that by themselves when the file
// changes, and statemesh keygen -rotate makes the three steps in the file.
func (n *Node) ChangeKeys(c Config) error {
	if c.MeshKey.IsZero() {
		return misconfigured("MeshKey", "there is none")
	}
	return n.useKeys(c.keyLists())
}

func (n *Node) useKeys(l keyLists) error {
	n.keysMu.Lock()
	defer n.keysMu.Unlock()
	var errs []error
	for _, c := range n.channels() {
		errs = append(errs, change(c.ring, l.of(c.exchange)))
	}
	n.keys = l
	return errors.Join(errs...)
}

// How often .env is looked at for new keys.
const keysEvery = 2 * time.Second

// watchKeys takes up the keys of .env when the file changes, until the node ends. Only
// keys that came from there are replaced.
func (n *Node) watchKeys(given Config) {
	env, err := readEnvironment(given.Dir)
	if err != nil {
		return // the node has just read it; it is gone or broken now, and stays as it is
	}
	last, _ := os.Stat(env.path)
	ticks := time.NewTicker(keysEvery)
	defer ticks.Stop()
	for {
		select {
		case <-n.ending:
			return
		case <-ticks.C:
		}
		now, err := os.Stat(env.path)
		if err != nil || last != nil && now.ModTime().Equal(last.ModTime()) && now.Size() == last.Size() {
			continue
		}
		last = now
		n.takeKeys(given)
	}
}

// takeKeys reads the keys anew. A file that is being written, or is wrong, changes nothing.
func (n *Node) takeKeys(given Config) {
	c := Config{
		Dir: given.Dir, MeshKey: given.MeshKey, TraceKey: given.TraceKey, SpyKey: given.SpyKey,
		OpenMeshKeys: given.OpenMeshKeys, OpenTraceKeys: given.OpenTraceKeys, OpenSpyKeys: given.OpenSpyKeys,
	}
	env, err := readEnvironment(c.Dir)
	if err == nil {
		err = env.fillKeys(&c)
	}
	if err == nil && c.MeshKey.IsZero() {
		err = misconfigured(EnvMeshKey, "it is gone; the node goes on with the one it has")
	}
	if err != nil {
		n.report.report("keys", "the keys of .env cannot be used", "file", env.path, "error", err)
		return
	}
	l := c.keyLists()
	n.keysMu.Lock()
	old := n.keys
	n.keysMu.Unlock()
	if l.mesh.equal(old.mesh) && l.trace.equal(old.trace) && l.spy.equal(old.spy) {
		return
	}
	if err := n.useKeys(l); err != nil {
		n.report.report("keys", "the keys of .env cannot be used", "file", env.path, "error", err)
		return
	}
	n.config.Logger.Info("the keys have changed", "file", env.path,
		"sealing_changed", !l.mesh[0].Equal(old.mesh[0]), "mesh_keys", len(l.mesh))
}
