package seal_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/statemesh/statemesh/network/seal"
)

// What waited too long is sealed again. Receivers take one of the two, whichever
// comes first.
func ExampleSealer_Reseal() {
	ring, err := seal.NewRing(seal.NewKey())
	if err != nil {
		log.Fatal(err)
	}
	sealer, opener := seal.NewSealer(ring, seal.SealerConfig{}), seal.NewOpener(ring, seal.OpenerConfig{})
	older, err := sealer.Seal(nil, []byte("ready"), "mesh", "archer.man")
	if err != nil {
		log.Fatal(err)
	}
	newer, err := sealer.Reseal(nil, older, []byte("ready"), "mesh", "archer.man")
	if err != nil {
		log.Fatal(err)
	}
	message, err := opener.Open(nil, newer, "mesh", "archer.man")
	fmt.Printf("%s %d %v\n", message.Body, message.Sequence, err)
	_, err = opener.Open(nil, older, "mesh", "archer.man")
	fmt.Println(err)
	// Output:
	// ready 1 <nil>
	// seal: envelope seen before
}

// An opener that is strict about time. The clock is handed in, for tests.
func ExampleOpenerConfig() {
	ring, err := seal.NewRing(seal.NewKey())
	if err != nil {
		log.Fatal(err)
	}
	sealer := seal.NewSealer(ring, seal.SealerConfig{})
	opener := seal.NewOpener(ring, seal.OpenerConfig{
		MaxAge: 10 * time.Second, // how long a message may be on its way
		Now:    func() time.Time { return time.Now().Add(time.Minute) },
	})
	envelope, err := sealer.Seal(nil, []byte("ready"), "mesh", "archer.man")
	if err != nil {
		log.Fatal(err)
	}
	_, err = opener.Open(nil, envelope, "mesh", "archer.man")
	fmt.Println(errors.Is(err, seal.ErrExpired), seal.Reason(err))
	// Output: true expired
}

// Nodes with different keys do not hear each other; the error says which key is
// missing, without a secret.
func ExampleKeyError() {
	theirs, err := seal.ParseKey("gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8=")
	if err != nil {
		log.Fatal(err)
	}
	there, err := seal.NewRing(theirs)
	if err != nil {
		log.Fatal(err)
	}
	here, err := seal.NewRing(theirs.Derive("another"))
	if err != nil {
		log.Fatal(err)
	}
	envelope, err := seal.NewSealer(there, seal.SealerConfig{}).Seal(nil, []byte("ready"), "mesh", "archer.man")
	if err != nil {
		log.Fatal(err)
	}
	_, err = seal.NewOpener(here, seal.OpenerConfig{}).Open(nil, envelope, "mesh", "archer.man")
	var missing seal.KeyError
	fmt.Println(errors.As(err, &missing), missing.ID, errors.Is(err, seal.ErrUnknownKey))
	fmt.Println(err)
	// Output:
	// true 0d931074 true
	// seal: unknown key: sealed with key id 0d931074, ours is c1619af6
}

// One's own messages come back from the broker, and are left out before they are opened.
func ExampleClaimedSender() {
	ring, err := seal.NewRing(seal.NewKey())
	if err != nil {
		log.Fatal(err)
	}
	sealer := seal.NewSealer(ring, seal.SealerConfig{})
	envelope, err := sealer.Seal(nil, []byte("ready"), "mesh", "archer.man")
	if err != nil {
		log.Fatal(err)
	}
	from, ok := seal.ClaimedSender(envelope)
	fmt.Println(ok, from == sealer.Sender())
	// Output: true true
}

// A key of each channel comes from the mesh's. What is sealed for one opens on no other.
func ExampleKey_Derive() {
	mesh, err := seal.ParseKey("gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8=")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(mesh.Derive("trace").Equal(mesh.Derive("trace")))
	fmt.Println(mesh.Derive("trace").Equal(mesh.Derive("spy")), mesh.Derive("trace").Equal(mesh))
	// Output:
	// true
	// false false
}
