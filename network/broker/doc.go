// Package broker is an AMQP 0-9-1 broker to embed in a program: for somebody who has no RabbitMQ, so that the same
// client code runs on either. It depends on the standard library only and starts in less than a millisecond.
//
// [New] makes a [Server] from a [Config], [Server.Serve] serves one [net.Listener], [Server.Close] ends it all.
//
// Everything is held in memory and dies with the process: "durable" and "persistent" are accepted and mean nothing more.
// A quorum queue is in memory, too: it survives its consumers and their crashes, and not the server; messages given back to
// it take their old place, where RabbitMQ delivers them before all others. A message dies 64 times at most.
// There is one virtual host and one user, and no cluster.
//
// # What it does as RabbitMQ does
//
//   - exchanges: direct, fanout and topic; the default one, amq.direct, amq.fanout and amq.topic; auto-delete, internal
//   - queues: server-named, exclusive, auto-delete; declare, bind, unbind, purge, delete with their conditions; the
//     arguments x-message-ttl, x-expires, x-max-length, x-max-length-bytes and x-overflow; the expiration of messages
//   - queues that put messages aside: x-dead-letter-exchange and x-dead-letter-routing-key, with the headers x-death and
//     x-first-death; x-queue-type quorum with x-delivery-limit and x-delivery-count
//   - consuming: basic.consume, cancel, get, qos (per consumer and per channel), ack, nack, reject, recover; exclusive
//     consumers; basic.cancel sent by the server when a queue goes; messages given back take their old place
//   - publishing: confirms, mandatory, user-id
//   - connections: PLAIN login, a definite 403 for clients that announce authentication_failure_close, negotiation,
//     heartbeats in both directions, and RabbitMQ's codes and texts for what a client does wrong
//
// Package internal/brokertest holds it and RabbitMQ against one table of tests.
//
// # What it does not do
//
// Refused with 540 NOT_IMPLEMENTED, so that nobody relies on what is not there: tx, exchange.bind and exchange.unbind,
// exchanges of type headers, the argument alternate-exchange; of queues the arguments x-max-priority and
// x-single-active-consumer, the x-queue-type "stream", and the x-overflow "reject-publish-dlx"; of consumers the argument
// x-priority. As with RabbitMQ: basic.qos with a size, publish with immediate, recover without requeue, and
// channel.flow that stops the server. Arguments RabbitMQ does not know either are ignored, as RabbitMQ does, and so are
// those about where it keeps messages. CC and BCC headers route nothing.
//
// # Nothing a peer does makes it grow, block or panic
//
// All is bounded by [Limits]: what is refused says so with a code. Three bounds work without a word to the publisher.
// A queue that reaches its length or bytes loses its oldest messages, as with x-max-length. When all messages together
// reach TotalBytes, the largest queue loses its oldest ones, which are no dead letters then. A queue with x-overflow
// reject-publish loses none in either case. If there is none to lose (or all wait for acknowledgement), the message is
// refused, which a publisher with confirms sees as basic.nack. A consumer that reads slowly gets no more than
// OutputBytes ahead: its messages wait in their queue, for this or another consumer. The broker never stops a publisher
// (it sends no connection.blocked). Every write has a deadline, and a peer that reads nothing at all is dropped.
package broker
