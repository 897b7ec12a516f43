// Package demo has what the example programs share and what they are not about:
// flags, nodes, and a clean end.
package demo

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/network"
)

// Options are the flags of a program.
type Options struct {
	Name        string
	Nodes       int
	For         time.Duration
	Broker      string
	LAN         bool
	TransmitKey string
	ReceiveKey  string
	Trace       bool
	Spy         bool
	NoColor     bool
	Charts      bool
	Stats       bool
	Fast        float64
	Seed        uint64
}

// Member is one object to be: its node, its name, and the choices of the user.
type Member struct {
	*Options
	Node *network.Node
	Name string
	rng  *rand.Rand
}

// ObjectConfig returns what the flags say of an object.
func (m *Member) ObjectConfig() network.ObjectConfig {
	return network.ObjectConfig{TransmitKey: m.TransmitKey, ReceiveKey: m.ReceiveKey}
}

// Snoop lets the object's trace and spy be heard, as the flags say.
func (m *Member) Snoop(o *network.ActiveObject) error {
	var err error
	if m.Trace {
		err = o.EnableSnoopTrace()
	}
	if m.Spy {
		err = errors.Join(err, o.EnableSnoopSpy())
	}
	return err
}

// Delay returns a random whole number of seconds from least to most, divided by
// -fast. Only the member's own goroutine may call it.
func (m *Member) Delay(least, most int) time.Duration {
	seconds := least + m.rng.IntN(most-least+1)
	return max(time.Duration(float64(seconds)*float64(time.Second)/m.Fast), 1)
}

// Program is an example.
type Program struct {
	Name   string // of the program
	Suffix string // of the names of its objects
	About  string // one sentence
	// Start makes and starts the object of a member.
	Start func(context.Context, *Member) error
	// Transport replaces the way to the brokers, for tests; nil is the default.
	Transport network.Transport
}

// Main runs the program with the arguments of the process and ends the process:
// with 0 after -for or Ctrl-C, 1 if something went wrong, 2 for wrong flags.
func (p Program) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(p.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Run is Main without the process.
func (p Program) Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := p.parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if err := p.run(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return 1
	}
	return 0
}

func (p Program) parse(args []string, stderr io.Writer) (*Options, error) {
	o := &Options{}
	f := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.Name, "name", "", "name of the chart; of several nodes the others add _2, _3 (default five random hex digits and _"+p.Suffix+")")
	f.IntVar(&o.Nodes, "nodes", 1, "number of nodes in this process, each with its own connections")
	f.DurationVar(&o.For, "for", 0, "stop after this time (default: run until Ctrl-C)")
	f.StringVar(&o.Broker, "broker", "", "URL of the broker, amqp:// or amqps:// (default: join what listens on 127.0.0.1:5672, or host a broker there)")
	f.BoolVar(&o.LAN, "lan", false, "find peers on the networks of this host; needs RABBIT_USER, RABBIT_PASSWORD and MESH_ENCRYPTION_KEY (as STATEMESH_LAN=1)")
	f.StringVar(&o.TransmitKey, "tx", "heya.man", "routing key to transmit with")
	f.StringVar(&o.ReceiveKey, "rx", "#.man", "pattern of the routing keys to hear: * is any word, # any number of words")
	f.BoolVar(&o.Trace, "trace", true, "let the trace be heard on the mesh, and print what is heard")
	f.BoolVar(&o.Spy, "spy", false, "let the spy be heard on the mesh, and print what is heard")
	f.BoolVar(&o.Charts, "trace-network", false, "print the trace of the network's own charts: connections and discovery")
	f.BoolVar(&o.Stats, "stats", false, "at the end, write what became of all messages to standard error, a JSON object a node")
	f.BoolVar(&o.NoColor, "no-color", false, "print without colours")
	f.Float64Var(&o.Fast, "fast", 1, "divide all delays by this number")
	f.Uint64Var(&o.Seed, "seed", 0, "seed of the random delays and names (default: another one each time)")
	f.Usage = func() {
		fmt.Fprintf(stderr, "%s\n\nUsage: %s [flags]\n\n", p.About, p.Name)
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	err := o.check(f.Args())
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
	}
	seeded := false
	f.Visit(func(f *flag.Flag) { seeded = seeded || f.Name == "seed" })
	if !seeded {
		o.Seed = rand.Uint64()
	}
	return o, err
}

func (o *Options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q: there are only flags", rest[0])
	case o.Nodes < 1 || o.Nodes > 1000:
		return fmt.Errorf("-nodes %d: want a number from 1 to 1000", o.Nodes)
	case o.For < 0:
		return fmt.Errorf("-for %v: a duration cannot be negative", o.For)
	case !(o.Fast > 0 && o.Fast <= 1e6):
		return fmt.Errorf("-fast %v: want a number above 0, up to 1000000", o.Fast)
	}
	return nil
}

func (p Program) run(ctx context.Context, o *Options, stdout, stderr io.Writer) (err error) {
	config, err := network.Load("")
	if err != nil {
		return err
	}
	config.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	config.Broker = o.Broker
	config.LAN = config.LAN || o.LAN
	config.Transport = p.Transport
	config.Color = network.ColorNever
	if !o.NoColor && instrument.Colours(stdout) {
		config.Color = network.ColorAlways
	}
	if o.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.For)
		defer cancel()
	}
	stdout = &oneAtATime{w: stdout}
	if o.Charts {
		config.TraceCharts = stdout
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0))
	for i := range o.Nodes {
		// One node prints for all of them: it hears the others like strangers.
		config.SnoopOutput = stdout
		if i > 0 {
			config.SnoopOutput = io.Discard
		}
		name := o.Name
		switch {
		case name == "":
			name = fmt.Sprintf("%05x_%s", rng.Uint32()>>12, p.Suffix)
		case i > 0:
			name = fmt.Sprintf("%s_%d", name, i+1)
		}
		node, nodeErr := network.NewNode(ctx, config)
		if nodeErr != nil {
			return ended(ctx, nodeErr)
		}
		defer func() {
			closing, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			err = errors.Join(err, node.Close(closing))
			if o.Stats {
				err = errors.Join(err, writeStats(stderr, node))
			}
		}()
		m := &Member{Options: o, Node: node, Name: name, rng: rand.New(rand.NewPCG(o.Seed, uint64(i)+1))}
		if err := p.Start(ctx, m); err != nil {
			return ended(ctx, err)
		}
	}
	<-ctx.Done()
	return nil
}

// ended makes no error of a start that -for or Ctrl-C cut short.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
