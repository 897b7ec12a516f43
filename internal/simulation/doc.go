// Package simulation tests the mesh under faults in virtual time, and holds nothing but
// that test. A seed says which hosts there are, what their objects send, and what goes
// wrong and when; hosts meet on a network.Memory, with latencies and cut links. When
// everything is whole again, each promise of the network is checked: what was sent was
// received or is in a count, once and in order, and the counts are exact.
//
// A run of some seconds is part of the tests. Longer ones, and one seed again, with what
// the nodes logged:
//
//	go test ./internal/simulation -run TestPromises -simulation.seeds=1000
//	go test ./internal/simulation -run TestPromises -simulation.for=10m -timeout=0
//	go test ./internal/simulation -run TestPromises -simulation.seed=4711 -v
package simulation
