package main

import (
	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/factory/testdata/odd/gate"
	"github.com/statemesh/statemesh/hsm"
)

func build() *factory.Factory[*odd] {
	on := hsm.NewSignal
	shut := &gate.Shut{}
	return factory.New[*odd]().
		Create(number1, "outer").
		Catch(hsm.Exit, (*odd).hear).
		Catch(on("outer"), (*odd).hear).
		Catch(on("func"), c).
		Catch(hsm.Init, (*odd).init).
		CatchBound(on("e"), e).
		Catch(on("hsm"), passOn).
		Catch(hsm.Entry, (*odd).promoted).
		Create(number2, "type").
		Catch(on("A"), (*odd).promoted).
		Catch(on("a"), (*odd).hear).
		CatchBound(on("gate"), gate.Open).
		CatchBound(on("!!!"), shut.Count).
		CatchBound(on("?"), shut.Count).
		Create(number3, "len").
		Catch(on("café au lait"), func(o *odd, e hsm.Event) hsm.Status { return o.hear(e) }).
		CatchBound(on("with \"quotes\"\n"), func(hsm.Event) hsm.Status { return hsm.Tran(number9) }).
		Create(number4, "1st").
		Catch(on("func"), generic[int]).
		Create(number5, "héllo wörld").
		Create(number6, "c").
		Create(number7, "odd").
		Create(number8, "init").
		Create(number9, "chart").
		Catch(on("outer"), func(*odd, hsm.Event) hsm.Status { return hsm.Tran(number1) }).
		Create(number10, "pass on").
		Create(number11, "outer state").
		Nest(number2, number1).Nest(number3, number2).Nest(number4, number3).Nest(number9, number5)
}

var chart = build().MustCompile()

func init() { source = build().Source }
