// Package brokertest says, as one runnable suite, what this project asks of an AMQP 0-9-1 broker. [Run] holds a broker
// against it: the embedded one and RabbitMQ pass the same table of tests, so that code written for one runs on the other.
//
// Names of queues and exchanges are random, so that any number of runs may share a server.
package brokertest

import (
	"os"
	"testing"
)

// The environment variables that [RabbitMQ] reads.
const (
	URLVariable     = "STATEMESH_RABBITMQ_URL"     // the URL of a RabbitMQ for tests, amqp://user:password@host:port/
	RequireVariable = "STATEMESH_REQUIRE_RABBITMQ" // "1" makes a missing URL a failure instead of a skip
)

// RabbitMQ returns the URL of the RabbitMQ server that tests may use, taken from the environment variable
// STATEMESH_RABBITMQ_URL. Without one it skips the test, or fails it if STATEMESH_REQUIRE_RABBITMQ is 1.
// scripts/rabbitmq.sh start prints such a URL.
func RabbitMQ(t testing.TB) string {
	t.Helper()
	if url := os.Getenv(URLVariable); url != "" {
		return url
	}
	if os.Getenv(RequireVariable) == "1" {
		t.Fatalf("%s=1 asks for RabbitMQ, but %s is not set", RequireVariable, URLVariable)
	}
	t.Skipf("%s is not set; scripts/rabbitmq.sh starts a server and prints the URL", URLVariable)
	return ""
}

// suite is one named group of tests a file of this package.
type suite struct {
	name  string
	tests []test
}

// test is one thing asked of the broker.
type test struct {
	name string
	run  func(s *session)
}

var suites = []suite{
	{"routing", routingTests},
	{"exchange", exchangeTests},
	{"queue", queueTests},
	{"limits", limitTests},
	{"durable", durableTests},
	{"consume", consumeTests},
	{"acknowledge", acknowledgeTests},
	{"publish", publishTests},
	{"connection", connectionTests},
	{"handshake", handshakeTests},
	{"frames", frameTests},
}

// Run runs the whole suite against the broker at url, whose user must be able to configure, write and read everything
// in the virtual host "/". It returns when every test has ended. The tests run in parallel and some only wait (RabbitMQ
// lets clients that err during the handshake wait for three seconds), so go test -parallel 16 makes it much faster.
func Run(t *testing.T, url string) {
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			for _, test := range suite.tests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					test.run(&session{T: t, url: url})
				})
			}
		})
	}
}
