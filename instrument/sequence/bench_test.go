package sequence

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"
)

// syntheticLog has five charts and, round every trace line, what a log has
// besides: spy lines, scribbles, log lines, half of it with colours.
func syntheticLog(transitions int) []byte {
	states := []string{"outer", "inner", "waiting", "connecting", "connected"}
	var b bytes.Buffer
	now := time.Date(2018, 5, 4, 8, 2, 36, 593144000, time.UTC)
	for i := range transitions {
		now = now.Add(time.Duration(i%7) * 1234 * time.Microsecond)
		stamp := now.Format("2006-01-02 15:04:05.000000")
		chart := fmt.Sprintf("%05x_ao", 0xca32+i%5)
		round := i / 5
		if i%2 == 0 {
			chart = "\x1b[34m" + chart + "\x1b[0m"
		}
		fmt.Fprintf(&b, "[+t] [%s] [%s] e->signal_%d() %s->%s\n", stamp, chart, round%11, states[round%5], states[(round+1)%5])
		fmt.Fprintf(&b, "[+s] %s signal_%d:%s\n", chart, round%11, states[round%5])
		fmt.Fprintf(&b, "[+s] %s <- Queued:(0) Deferred:(0)\n", chart)
		if i%4 == 0 {
			fmt.Fprintf(&b, "[%s] [%s] # scribble\n", stamp, chart)
			fmt.Fprintf(&b, "time=%s level=INFO msg=\"something else\"\n", stamp)
		}
	}
	return b.Bytes()
}

func onlyTrace(log []byte) []byte {
	var b bytes.Buffer
	for line := range bytes.Lines(log) {
		if bytes.HasPrefix(line, []byte("[+t]")) {
			b.Write(line)
		}
	}
	return b.Bytes()
}

func reportLines(b *testing.B, lines int64, of string) {
	b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), of+"/s")
}

// BenchmarkTool is what the tool does from end to end.
func BenchmarkTool(b *testing.B) {
	input := syntheticLog(50_000)
	for _, o := range []Options{{}, {Number: true}} {
		b.Run(fmt.Sprintf("number=%v", o.Number), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(input)))
			var r Report
			for b.Loop() {
				log, err := Read(bytes.NewReader(input))
				if err != nil {
					b.Fatal(err)
				}
				if err := log.Draw(io.Discard, o); err != nil {
					b.Fatal(err)
				}
				r = log.Report()
			}
			reportLines(b, r.Lines, "lines")
			reportLines(b, r.Drawn, "drawn")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for name, input := range map[string][]byte{
		"mixed": syntheticLog(50_000),
		"trace": onlyTrace(syntheticLog(100_000)),
		"noise": bytes.Repeat([]byte("[+s] 0ca32_ao SEARCH_FOR_SUPER_SIGNAL:outer\n"), 100_000),
		// One stamp for everything, and nothing connected: the worst order.
		"one stamp": bytes.Repeat([]byte("[10:00:00] [c] e->A() c->d\n[10:00:00] [c] e->B() a->b\n"+
			"[10:00:00] [c] e->C() b->c\n[10:00:00] [c] e->D() e->a\n"), 25_000),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(input)))
			var r Report
			for b.Loop() {
				log, err := Read(bytes.NewReader(input))
				if err != nil {
					b.Fatal(err)
				}
				r = log.Report()
			}
			reportLines(b, r.Lines, "lines")
		})
	}
}

func BenchmarkParse(b *testing.B) {
	line := []byte("[+t] [2018-05-04 08:02:40.594301] [0ca32_ao] e->to_inner() outer->inner")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(line); err != nil {
			b.Fatal(err)
		}
	}
}
