// Package network joins active objects of many processes and hosts to one mesh, over
// encrypted AMQP 0-9-1 channels.
//
// Five nouns carry it:
//
//   - A [Config] says how a node behaves, and its zero value works; [Load] reads it from
//     the environment and from the file .env.
//   - A [Node] is one process on the mesh. It consumes from its own host's broker, which
//     may be a RabbitMQ or one that a node hosts, and publishes to that and to every peer's.
//   - An [ActiveObject] of a node transmits events under a routing key, and receives
//     those whose key matches its pattern: at most once, or, if it asks for it, at least
//     once ([Guarantee]).
//   - A peer is the broker of another host, named in the Config or found on the LAN;
//     [PeerStatus] tells how it stands, [Health] how everything does.
//   - A [Transport] is the way to the brokers: [AMQP], or [Memory] for tests without
//     sockets, in virtual time.
//
// [Keygen] and [TLSKeygen] make what the hosts of a mesh have to share. Sealing is in
// package seal, finding peers in package discovery, the broker that nodes host in package
// broker.
package network
