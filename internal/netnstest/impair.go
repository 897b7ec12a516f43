package netnstest

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Impair makes what the host sends by its i-th interface late or lost. It replaces what
// was said before; the zero Impairment makes all well again. A [Lab.SoftHost] can
// always do it; other hosts do it by [Host.Netem], which does not know the seed.
func (h *Host) Impair(i int, is Impairment) error {
	p, err := h.port(i)
	switch {
	case err != nil:
		return err
	case p.soft != nil:
		p.soft.impair(is)
		return nil
	case is.Delay <= 0 && is.Jitter <= 0 && is.Loss <= 0:
		return h.Netem(i)
	}
	microseconds := func(d time.Duration) string { return fmt.Sprintf("%dus", d.Microseconds()) }
	return h.Netem(i, "delay", microseconds(is.Delay), microseconds(is.Jitter), "loss", fmt.Sprintf("%.4f%%", is.Loss*100))
}

// SoftStats counts what the host sent by its i-th interface. Of a host that has a
// bridge nothing is known.
func (h *Host) SoftStats(i int) (SoftStats, error) {
	p, err := h.port(i)
	if err != nil || p.soft == nil {
		return SoftStats{}, err
	}
	return p.soft.counts(), nil
}

// ErrNetem is wrapped by the error of [Host.Netem] where the kernel or the tc
// command cannot do it.
var ErrNetem = errors.New("netnstest: no netem here")

// Netem makes what the host sends by its i-th interface late, lost, or mangled, as
// tc-netem(8) says: Netem(0, "delay", "50ms", "loss", "1%"). It replaces what was
// said before; without arguments all is well again.
func (h *Host) Netem(i int, args ...string) error {
	p, err := h.port(i)
	if err != nil {
		return err
	}
	if _, err := exec.LookPath("tc"); err != nil {
		return fmt.Errorf("%w: %w", ErrNetem, err)
	}
	tc := []string{"-n", h.namespace, "qdisc", "replace", "dev", p.name, "root"}
	if len(args) == 0 {
		_, err := run("tc", append(tc, "noqueue")...)
		return err
	}
	_, err = run("tc", append(append(tc, "netem"), args...)...)
	if err != nil && strings.Contains(err.Error(), "qdisc kind is unknown") {
		return fmt.Errorf("%w: the kernel lacks sch_netem: %w", ErrNetem, err)
	}
	return err
}
