package barrier

import (
	"io"

	"github.com/statemesh/statemesh/instrument/diagram"
)

// pictures draws the chart, with the transitions that a trace tells of.
func pictures(trace io.Reader) (mermaid, dot string, err error) {
	d := chart.Describe()
	if _, err := diagram.AddTrace(d, trace); err != nil {
		return "", "", err
	}
	return diagram.Mermaid(d), diagram.DOT(d), nil
}
