package seal_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/statemesh/statemesh/network/seal"
)

func ExampleKey() {
	mesh, err := seal.ParseKey("gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8=")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("mesh: ", mesh)
	fmt.Printf("trace: %+v\n", mesh.Derive("trace"))
	fmt.Println("text: ", mesh.Encode())

	_, err = seal.ParseKey("not a key")
	fmt.Println(err)
	// Output:
	// mesh:  seal.Key(id 0d931074)
	// trace: seal.Key(id 4307313b)
	// text:  gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8=
	// seal: bad key: 9 characters long, want 43 and a final =: 32 bytes in URL-safe base64
}

func ExampleSealer_Seal() {
	ring, err := seal.NewRing(seal.NewKey())
	if err != nil {
		log.Fatal(err)
	}
	sealer := seal.NewSealer(ring, seal.SealerConfig{})

	message := []byte("ready")
	envelope, err := sealer.Seal(nil, message, "mesh", "archer.man")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(envelope) == len(message)+seal.Overhead)
	// Output: true
}

func ExampleOpener_Open() {
	ring, err := seal.NewRing(seal.NewKey())
	if err != nil {
		log.Fatal(err)
	}
	sealer, opener := seal.NewSealer(ring, seal.SealerConfig{}), seal.NewOpener(ring, seal.OpenerConfig{})
	envelope, err := sealer.Seal(nil, []byte("ready"), "mesh", "archer.man")
	if err != nil {
		log.Fatal(err)
	}

	_, err = opener.Open(nil, envelope, "mesh", "archer.woman")
	fmt.Println(err)

	message, err := opener.Open(nil, envelope, "mesh", "archer.man")
	fmt.Printf("%s %d %v\n", message.Body, message.Sequence, err)

	_, err = opener.Open(nil, envelope, "mesh", "archer.man")
	fmt.Println(err, errors.Is(err, seal.ErrReplay), seal.Reason(err))
	// Output:
	// seal: envelope does not authenticate
	// ready 1 <nil>
	// seal: envelope seen before true replay
}

// A key is changed while everything runs. On every node of a mesh: Add, then Use,
// then Retire.
func ExampleRing() {
	before, after := seal.NewKey(), seal.NewKey()
	ring, err := seal.NewRing(before)
	if err != nil {
		log.Fatal(err)
	}
	sealer, opener := seal.NewSealer(ring, seal.SealerConfig{}), seal.NewOpener(ring, seal.OpenerConfig{})
	early, err := sealer.Seal(nil, []byte("early"), "mesh", "archer.man")
	if err != nil {
		log.Fatal(err)
	}

	if err := ring.Use(after); err != nil {
		log.Fatal(err)
	}
	message, err := opener.Open(nil, early, "mesh", "archer.man")
	fmt.Printf("%s %v\n", message.Body, err)

	fmt.Println(ring.Retire(after.ID()))
	fmt.Println(ring.Retire(before.ID()))
	// Output:
	// early <nil>
	// seal: key is in use for sealing
	// <nil>
}
