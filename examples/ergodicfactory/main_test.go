package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/examples/internal/demotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestErgodic(t *testing.T) { demotest.Ergodic(t, program) }
