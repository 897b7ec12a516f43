package broker_test

import (
	"net"
	"testing"

	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/internal/brokertest"
	"github.com/statemesh/statemesh/network/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The same table of tests for the embedded broker and for RabbitMQ.
func TestEmbedded(t *testing.T) { brokertest.Run(t, start(t, broker.Config{})) }
func TestRabbitMQ(t *testing.T) { brokertest.Run(t, brokertest.RabbitMQ(t)) }

// start serves on a free port and returns the URL.
func start(t testing.TB, config broker.Config) string {
	url, _ := serve(t, config)
	return url
}

// serve serves on a free port until the test ends.
func serve(t testing.TB, config broker.Config) (string, *broker.Server) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := broker.New(config)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-served; err != broker.ErrClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	user, password := "guest", "guest"
	if config.User != "" {
		user, password = config.User, config.Password
	}
	return "amqp://" + user + ":" + password + "@" + listener.Addr().String() + "/", server
}
