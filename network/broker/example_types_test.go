package broker_test

import (
	"errors"
	"fmt"
	"net"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/statemesh/statemesh/network/broker"
)

// A server serves any number of listeners until it is closed.
func ExampleServer_Serve() {
	server := broker.New(broker.Config{}) // guest and guest, from this host only
	ended := make(chan error)
	for range 2 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			fmt.Println(err)
			return
		}
		go func() { ended <- server.Serve(listener) }()
		conn, err := amqp.Dial("amqp://guest:guest@" + listener.Addr().String())
		if err != nil {
			fmt.Println(err)
			return
		}
		defer conn.Close()
	}
	fmt.Println("connections:", server.Stats().Connections)
	server.Close()
	fmt.Println(errors.Is(<-ended, broker.ErrClosed), errors.Is(<-ended, broker.ErrClosed))
	// Output:
	// connections: 2
	// true true
}

// Only these credentials open a connection.
func ExampleNew() {
	server := broker.New(broker.Config{User: "mesh", Password: "from the environment"})
	defer server.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go server.Serve(listener)
	_, err = amqp.Dial("amqp://guest:guest@" + listener.Addr().String())
	fmt.Println(errors.Is(err, amqp.ErrCredentials))
	// Output: true
}

// What peers can make a server hold is bounded; a client is told what it may not do.
func ExampleLimits() {
	server := broker.New(broker.Config{Limits: broker.Limits{Queues: 1}})
	defer server.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go server.Serve(listener)
	conn, err := amqp.Dial("amqp://guest:guest@" + listener.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	ch, _ := conn.Channel()
	_, first := ch.QueueDeclare("one", false, false, false, false, nil)
	_, second := ch.QueueDeclare("two", false, false, false, false, nil)
	var refused *amqp.Error
	fmt.Println(first, errors.As(second, &refused), refused.Code)
	// Output: <nil> true 406
}

// Topics are words between dots. A * is any one word, a # any number of them.
func ExampleMatchTopic() {
	for _, pattern := range []string{"archer.*", "archer.#", "#.man", "archer"} {
		fmt.Println(pattern, broker.MatchTopic(pattern, "archer.man"), broker.MatchTopic(pattern, "archer"))
	}
	// Output:
	// archer.* true false
	// archer.# true true
	// #.man true false
	// archer false true
}
