package actor

import "syscall"

// Signals to a process, by their numbers on Linux, where there are namespaces: other
// systems may not have them, but compile this.
const (
	Silence = syscall.Signal(10) // SIGUSR1: transmit nothing more
	Skew    = syscall.Signal(12) // SIGUSR2: read how wrong the clock is to be
	Stop    = syscall.Signal(19) // SIGSTOP
	Resume  = syscall.Signal(18) // SIGCONT
)
