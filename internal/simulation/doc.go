// Package simulation tests the mesh under faults in virtual time, and holds nothing but
// that test. A seed says which hosts there are, what their objects send, and what goes
// wrong and when: brokers go down, refuse or block, ways are cut, everything of a node hangs,
// nodes crash or leave, objects stop, clocks are wrong, keys change. Hosts meet on a
// network.Memory, with latencies. When everything is whole again, each promise of the network
// is checked: what was sent was received or is in a count, once and in order, and the counts
// are exact; what was kept was handled once, but for what docs/guarantees.md excepts.
//
// A run of some seconds is part of the tests. Longer ones, which use all processors, and one
// seed again, with what the nodes logged:
//
//	go test ./internal/simulation -run TestPromises -simulation.seeds=1000 -v
//	go test ./internal/simulation -run TestPromises -simulation.for=10m -timeout=0 -v
//	go test ./internal/simulation -run TestPromises -simulation.seed=4711 -v
//
// # What replays exactly
//
// To replay exactly is to have the same ledger: every object handles the same events, in the
// same order, at the same virtual times to the nanosecond; every Transmit happens at the same
// time and has the same outcome; all counts of all nodes and objects are equal. The names of
// keys, senders and temporary directories are others each time, and so are the nonces.
//
// All that has a time is drawn from the seed: moves, latencies, the gaps between the events of
// a burst, and through network.Config.Seed the random waits of the nodes. Two things that
// matter to each other then hardly ever fall on one instant, at which their order would be
// the scheduler's: virtual time stands still until nothing can go on any more. What is left
// are a few coincidences that are no accident, such as all links of a broker dying at once,
// and in what order a node's goroutines hear of it. Therefore seeds run in processes with one
// processor each, which takes runnable goroutines in the order of their waking, and without
// the garbage collector. Even so the operating system may interrupt a goroutine for so long
// that Go's scheduler puts it behind others. Then a run differs from the others of
// its seed; TestReplay runs such a seed again, until two ledgers are equal. It does so for some
// seeds each time, more with -simulation.seeds, and so does TestReplayOnTwoProcessors, where
// goroutines are in real races. That is a test and no proof. Under the race detector, which
// shuffles goroutines on purpose, the order is as free as that.
package simulation
