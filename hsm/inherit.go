package hsm

// Inherit makes the table of a chart that specializes another one. The data of
// the new chart, a D, contains the data of the base, a B, usually by embedding
// it; of gives the one from the other. The handlers of the base run on their
// part, and what they lead to is the state of that number in the new chart.
//
// Changes says how the new chart differs, by State: a state of the base takes
// from it each field that is not zero, the others it keeps; a state that the
// base does not have is added. A handler that replaces one of the base may
// call it for whatever it leaves as it was. Catches belongs to the handler: a
// change with a Handle and no Catches has none, whatever the base has, since the
// new handler may know more signals; one with Catches and no Handle says which
// signals the handler of the base is still called with.
//
//	const dimmed = on + 1 // on is the last state of the base
//
//	var dimmers = hsm.MustCompile(hsm.Inherit(lamps, (*dimmer).asLamp, []hsm.Spec[*dimmer]{
//		on:     {Handle: (*dimmer).on},
//		dimmed: {Name: "dimmed", Parent: on, Handle: (*dimmer).dimmed},
//	}))
//
//	func (d *dimmer) on(e hsm.Event) hsm.Status {
//		if e.Signal == turn {
//			return hsm.Tran(dimmed)
//		}
//		return d.lamp.on(e)
//	}
//
// It changes neither base nor changes and checks nothing: Compile does. A call
// of an inherited handler costs one call of of more.
func Inherit[D, B any](base []Spec[B], of func(D) B, changes []Spec[D]) []Spec[D] {
	specs := make([]Spec[D], max(len(base), len(changes)))
	for s, b := range base {
		specs[s] = Spec[D]{Name: b.Name, Parent: b.Parent, Init: b.Init, Catches: b.Catches}
		if b.Handle != nil {
			specs[s].Handle = func(d D, e Event) Status { return b.Handle(of(d), e) }
		}
	}
	for s, c := range changes {
		spec := &specs[s]
		if c.Name != "" {
			spec.Name = c.Name
		}
		if c.Parent != Top {
			spec.Parent = c.Parent
		}
		if c.Handle != nil {
			spec.Handle, spec.Catches = c.Handle, nil
		}
		if c.Init != Top {
			spec.Init = c.Init
		}
		if c.Catches != nil {
			spec.Catches = c.Catches
		}
	}
	return specs
}
