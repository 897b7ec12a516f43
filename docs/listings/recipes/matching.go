package recipes

import (
	"strings"

	"github.com/statemesh/statemesh/hsm"
)

type logger struct {
	errors, others int
}

var loggers = hsm.MustCompile([]hsm.Spec[*logger]{
	idle: {Name: "idle", Handle: (*logger).idle},
})

func (l *logger) idle(e hsm.Event) hsm.Status {
	switch {
	case e.Signal.IsInner(): // entry, exit, init
		return hsm.Super
	case strings.HasPrefix(e.Signal.String(), "error."):
		l.errors++
	default:
		l.others++
	}
	return hsm.Handled
}
