package broker_test

import (
	"context"
	"fmt"
	"net"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/statemesh/statemesh/network/broker"
)

// A program that brings its own broker. The client code is what it would be with RabbitMQ.
func Example() {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // RabbitMQ's port is 5672
	if err != nil {
		fmt.Println(err)
		return
	}
	server := broker.New(broker.Config{User: "mesh", Password: "from the environment"})
	go server.Serve(listener)
	defer server.Close()

	conn, err := amqp.DialConfig("amqp://"+listener.Addr().String()+"/", amqp.Config{
		SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "mesh", Password: "from the environment"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	ch, _ := conn.Channel()
	q, _ := ch.QueueDeclare("", false, false, true, false, nil)
	ch.QueueBind(q.Name, "#.news", "amq.topic", false, nil)
	deliveries, _ := ch.Consume(q.Name, "", true, false, false, false, nil)

	ch.PublishWithContext(context.Background(), "amq.topic", "good.news", false, false, amqp.Publishing{Body: []byte("it works")})
	d := <-deliveries
	fmt.Printf("%s: %s\n", d.RoutingKey, d.Body)
	// Output: good.news: it works
}
