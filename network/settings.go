package network

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
)

// What a Config may ask for.
const (
	maxHeartbeat  = 65535 // seconds, a short of AMQP
	maxOutbox     = 1 << 20
	minMaxMessage = 1 << 10
	maxMaxMessage = 16 << 20
	minTTL        = 10 * time.Millisecond
	maxTTL        = 24 * time.Hour
	maxNodeName   = 200 // bytes
)

// settings is a Config in which everything is decided and checked. Broker, Listen, Port,
// User, Password, Peers, Certificates and TLS are no longer in it, but what follows from them.
type settings struct {
	Config

	own    Address   // the node's own broker
	listen string    // where to host it if nobody else does; "" for never
	peers  []Address // without doubles and without own

	tlsSettings

	keyLists  keyLists
	givenKeys Config // the keys that are not from the file, and Dir

	// newKey is the path of the file that a new mesh key was written to, "" if there was one.
	newKey string
}

// complete reads what the environment says, fills in the defaults, and tells all
// mistakes at once. If there is no mesh key, and no mistake, it writes a new one.
func (c Config) complete() (settings, error) {
	env, err := readEnvironment(c.Dir)
	if err != nil {
		return settings{}, err
	}
	errs := checkTransport(c)
	errs = append(errs, env.fill(&c))
	s := settings{Config: c}
	errs = append(errs, s.certificates()...)
	errs = append(errs, s.addresses()...)
	errs = append(errs, s.lan()...)
	s.defaults()
	errs = append(errs, s.check()...)
	if err := errors.Join(errs...); err != nil {
		return settings{}, err
	}
	if s.Transport == nil {
		s.Transport = &AMQP{Name: s.Name, TLS: s.TLS, Heartbeat: s.Heartbeat, TTL: s.TTL, identity: s.identity}
	}
	if _, speaksAMQP := s.Transport.(*AMQP); !speaksAMQP {
		s.listen = ""
	}
	if err := s.keys(env); err != nil {
		return settings{}, err
	}
	s.Broker, s.Listen, s.Port, s.User, s.Password, s.Peers, s.TLS = "", "", 0, "", Secret{}, nil, nil
	s.Certificates = Certificates{}
	return s, nil
}

// checkTransport looks at what the program itself has set, before the environment's
// share comes in, which is for the default transport alone.
func checkTransport(c Config) (errs []error) {
	if c.Transport == nil {
		return nil
	}
	const elsewhere = "it has no effect with the Transport that is set; set it there"
	if c.TLS != nil {
		errs = append(errs, misconfigured("TLS", elsewhere))
	}
	if c.Certificates != (Certificates{}) {
		errs = append(errs, misconfigured("Certificates", elsewhere))
	}
	if c.Heartbeat != 0 {
		errs = append(errs, misconfigured("Heartbeat", elsewhere))
	}
	return errs
}

// addresses decides on own, listen and peers.
func (s *settings) addresses() (errs []error) {
	defaults := Address{Port: s.Port, User: s.User, Password: s.Password}
	if p := s.Port; p < 0 || p > 65535 {
		errs = append(errs, misconfigured("Port", "it has to be a number from 1 to 65535"))
		defaults.Port = 0
	}
	read := func(field, text string) (Address, bool) {
		a, err := parseAddress(text, defaults)
		if err == nil && s.speaksAMQP() && !strings.Contains(text, "://") && !isLoopback(a.Host) {
			err = errClear
		}
		if err != nil {
			errs = append(errs, misconfigured(field, "%w", err))
		}
		return a, err == nil
	}
	switch {
	case s.Broker != "":
		if s.Listen != "" {
			errs = append(errs, misconfigured("Listen", "it has no effect beside Broker"))
		}
		s.own, _ = read("Broker", s.Broker)
	default:
		s.own, s.listen, errs = s.defaultRule(defaults, errs)
	}
	for i, text := range s.Peers {
		a, ok := read(fmt.Sprintf("Peers[%d]", i), text)
		same := func(b Address) bool { return b.HostPort() == a.HostPort() && b.VHost == a.VHost }
		if ok && !same(s.own) && !slices.ContainsFunc(s.peers, same) {
			s.peers = append(s.peers, a)
		}
	}
	return errs
}

func (s *settings) defaultRule(defaults Address, errs []error) (own Address, listen string, _ []error) {
	text := s.Listen
	if s.serving != nil {
		defaults.TLS = true
		setDefault(&defaults.Port, DefaultPort)
	}
	switch {
	case text != "":
	case s.LAN:
		text = "0.0.0.0"
	default:
		text = "127.0.0.1"
	}
	own, err := parseAddress(text, defaults)
	ip, notIP := netip.ParseAddr(own.Host)
	switch {
	case err == nil && strings.Contains(text, "://"):
		err = errors.New("want host:port")
	case err == nil && notIP != nil && own.Host != "localhost":
		err = errors.New("the host has to be an IP address, or localhost")
	case err == nil && own.Host != "localhost" && !ip.IsLoopback():
		errs = append(errs, s.checkLAN("Listen", "a broker that other hosts reach")...)
	}
	if err != nil {
		errs = append(errs, misconfigured("Listen", "%w", err))
	}
	if own.Password.IsZero() {
		errs = append(errs, misconfigured("Password", "user %q has none; a broker lets nobody in without", own.User))
	}
	listen = own.HostPort()
	if ip.IsUnspecified() {
		own.Host = "127.0.0.1" // it listens there too
		if ip.Is6() {
			own.Host = "::1"
		}
	}
	return own, listen, errs
}

// checkLAN says what is missing for whatever leaves this host.
func (s *settings) checkLAN(field, what string) (errs []error) {
	user, password := s.User, s.Password.Reveal()
	if (user == "" || user == defaultUser) && (password == "" || password == defaultPassword) {
		errs = append(errs, misconfigured(field, "%s needs credentials other than guest and guest: set %s and %s, in the environment or in %s; statemesh keygen writes them",
			what, EnvUser, EnvPassword, dotenvName))
	}
	if s.MeshKey.IsZero() {
		errs = append(errs, misconfigured(field, "%s needs the key that all hosts share: set %s, in the environment or in %s; statemesh keygen writes one",
			what, EnvMeshKey, dotenvName))
	}
	return errs
}

// lan checks what has to do with other hosts.
func (s *settings) lan() (errs []error) {
	d := s.Discovery
	if !s.LAN {
		if d.Interfaces != nil || d.Prefixes != nil || d.Dir != "" || d.HostsFile != "" || d.CacheFile != "" || d.Every != 0 ||
			d.Sweeps != nil || d.Networks != nil || d.Own != nil {
			errs = append(errs, misconfigured("Discovery", "it has no effect without LAN"))
		}
		return errs
	}
	if err := d.Check(); err != nil {
		errs = append(errs, misconfigured("Discovery", "%w", err))
	}
	if err := s.lanTLS(); err != nil {
		errs = append(errs, err)
	}
	if _, isMemory := s.Transport.(*Memory); !isMemory {
		errs = append(errs, s.checkLAN("LAN", "a node that looks for others")...)
	}
	if d.Dir == "" {
		s.Discovery.Dir = s.Dir
	}
	return errs
}

func (s *settings) defaults() {
	if s.Name == "" {
		host, err := os.Hostname()
		if err != nil || host == "" {
			host = "node"
		}
		s.Name = fmt.Sprintf("%.150s-%d", host, os.Getpid())
	}
	setDefault(&s.Heartbeat, DefaultHeartbeat)
	setDefault(&s.ConnectionAttempts, DefaultConnectionAttempts)
	setDefault(&s.Outbox, DefaultOutbox)
	setDefault(&s.MaxMessage, DefaultMaxMessage)
	setDefault(&s.TTL, DefaultTTL)
	setDefault(&s.KeepFor, DefaultKeepFor)
	setDefault(&s.Forget, DefaultForget)
	if s.WhenFull == WaitForRoom {
		setDefault(&s.MaxWait, DefaultMaxWait)
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.Clock == nil {
		s.Clock = time.Now
	}
	if s.SnoopOutput == nil {
		s.SnoopOutput = os.Stdout
	}
}

// setDefault sets what is zero.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (s *settings) check() (errs []error) {
	wrong := func(isWrong bool, name, reason string, args ...any) {
		if isWrong {
			errs = append(errs, misconfigured(name, reason, args...))
		}
	}
	wrong(len(s.Name) > maxNodeName || strings.ContainsFunc(s.Name, func(r rune) bool { return !unicode.IsPrint(r) }),
		"Name", "it has to be at most %d bytes long and printable", maxNodeName)
	wrong(s.Heartbeat < time.Second || s.Heartbeat > maxHeartbeat*time.Second || s.Heartbeat%time.Second != 0,
		"Heartbeat", "it has to be whole seconds, from 1 s to %d s", maxHeartbeat)
	wrong(s.ConnectionAttempts < 1 || s.ConnectionAttempts > maxAttempts,
		"ConnectionAttempts", "it has to be a number from 1 to %d", maxAttempts)
	wrong(s.Outbox < 1 || s.Outbox > maxOutbox,
		"Outbox", "it has to be a number from 1 to %d", maxOutbox)
	wrong(s.MaxMessage < minMaxMessage || s.MaxMessage > maxMaxMessage,
		"MaxMessage", "it has to be from %d to %d bytes", minMaxMessage, maxMaxMessage)
	wrong(s.TTL < minTTL || s.TTL > maxTTL,
		"TTL", "it has to be from %v to %v", minTTL, maxTTL)
	wrong(s.KeepFor < minKeepFor || s.KeepFor > maxKeepFor || s.KeepFor%time.Millisecond != 0,
		"KeepFor", "it has to be whole milliseconds, from %v to %v", minKeepFor, maxKeepFor)
	wrong(s.WhenFull < RejectNewest || s.WhenFull > WaitForRoom,
		"WhenFull", "it has to be RejectNewest, DropOldest or WaitForRoom")
	wrong(s.MaxWait < 0 || s.MaxWait != 0 && s.WhenFull != WaitForRoom,
		"MaxWait", "it has an effect only with WaitForRoom, and cannot be negative")
	wrong(s.HealthEvery < 0,
		"HealthEvery", "it cannot be negative")
	wrong(s.Forget < time.Second,
		"Forget", "it has to be a second at least")
	wrong(s.Color < ColorAuto || s.Color > ColorNever,
		"Color", "it has to be ColorAuto, ColorAlways or ColorNever")
	return errs
}

// keys decides on the keys. It is the last step, because it may write to the disk.
func (s *settings) keys(env environment) error {
	if s.identity != nil {
		for _, w := range s.identity.warnings {
			s.Logger.Warn(w.text, "file", w.file)
		}
	}
	if env.exposed() {
		s.Logger.Warn("other users of this machine can read or write the secrets of this file; its mode should be 0600",
			"file", env.path)
	}
	if s.MeshKey.IsZero() {
		key, written, err := shareKey(env.path)
		if err != nil {
			return err
		}
		s.MeshKey = key
		env.file[EnvMeshKey] = key.Encode() // it is there now
		if written {
			s.newKey = env.path
			s.Logger.Info("wrote a new mesh key; nodes need the same key to hear each other",
				"file", env.path, "variable", EnvMeshKey)
		}
	}
	s.keyLists = s.Config.keyLists()
	s.givenKeys = env.withoutOwn(Config{
		Dir: s.Dir, MeshKey: s.MeshKey, TraceKey: s.TraceKey, SpyKey: s.SpyKey,
		OpenMeshKeys: s.OpenMeshKeys, OpenTraceKeys: s.OpenTraceKeys, OpenSpyKeys: s.OpenSpyKeys,
	})
	return nil
}
