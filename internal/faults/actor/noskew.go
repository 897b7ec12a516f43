//go:build !faults_skew

package actor

import "time"

// CanSkew says whether the clock of an actor can be wrong: see the other file.
const CanSkew = false

func setSkew(time.Duration) {}
