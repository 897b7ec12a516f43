//go:build faults_skew

package actor

import "time"

// CanSkew says whether the clock of an actor can be wrong: there are no namespaces of
// the time of day, so the program is compiled with a package time that has SetSkew.
const CanSkew = true

func setSkew(d time.Duration) { time.SetSkew(d) }
