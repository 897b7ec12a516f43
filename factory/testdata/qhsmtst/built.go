package main

import (
	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
)

var built = factory.New[*qhsmtst]().
	Create(s, "s").
	Catch(hsm.Init, (*qhsmtst).toS11).
	Catch(e, (*qhsmtst).toS11).
	Catch(i, (*qhsmtst).sI).
	Create(s1, "s1").
	Catch(hsm.Init, (*qhsmtst).toS11).
	Catch(a, (*qhsmtst).toS1).
	Catch(b, (*qhsmtst).toS11).
	Catch(c, (*qhsmtst).toS2).
	Catch(d, (*qhsmtst).s1D).
	Catch(f, (*qhsmtst).toS211).
	Catch(i, (*qhsmtst).handled).
	Create(s11, "s11").
	Catch(d, (*qhsmtst).s11D).
	Catch(g, (*qhsmtst).toS211).
	Catch(h, (*qhsmtst).toS).
	Create(s2, "s2").
	Catch(hsm.Init, (*qhsmtst).toS211).
	Catch(c, (*qhsmtst).toS1).
	Catch(f, (*qhsmtst).toS11).
	Catch(i, s2I).
	Create(s21, "s21").
	Catch(hsm.Init, (*qhsmtst).toS211).
	Catch(a, (*qhsmtst).toS21).
	Catch(b, (*qhsmtst).toS211).
	Catch(g, (*qhsmtst).toS1).
	Create(s211, "s211").
	Catch(d, (*qhsmtst).toS21).
	Catch(h, (*qhsmtst).toS).
	Nest(s1, s).Nest(s11, s1).
	Nest(s2, s).Nest(s21, s2).Nest(s211, s21)

var chart *hsm.Chart[*qhsmtst]

func init() {
	for n := s; n <= s211; n++ {
		built.State(n).Catch(hsm.Entry, (*qhsmtst).handled).Catch(hsm.Exit, (*qhsmtst).handled)
	}
	built.State(s).Catch(terminate, (*qhsmtst).quit)
	chart = built.MustCompile()
	source = built.Source
}
