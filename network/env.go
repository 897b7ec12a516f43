package network

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/statemesh/statemesh/network/seal"
)

// Environment variables that a node reads, also from a file called .env. An empty one
// counts as not set.
const (
	EnvUser      = "RABBIT_USER"                // Config.User
	EnvPassword  = "RABBIT_PASSWORD"            // Config.Password
	EnvPort      = "RABBIT_PORT"                // Config.Port
	EnvHeartbeat = "RABBIT_HEARTBEAT_INTERVAL"  // Config.Heartbeat, in seconds
	EnvAttempts  = "CONNECTION_ATTEMPTS"        // Config.ConnectionAttempts
	EnvMeshKey   = "MESH_ENCRYPTION_KEY"        // Config.MeshKey
	EnvTraceKey  = "SNOOP_TRACE_ENCRYPTION_KEY" // Config.TraceKey
	EnvSpyKey    = "SNOOP_SPY_ENCRYPTION_KEY"   // Config.SpyKey

	// Each of the three keys may have a _NEXT and a _PREVIOUS, which open and do not seal:
	// Config.OpenMeshKeys and the following. They are for changing a key.
	EnvNext     = "_NEXT"
	EnvPrevious = "_PREVIOUS"

	EnvLAN           = "STATEMESH_LAN"            // Config.LAN, 1 or 0
	EnvLANInterfaces = "STATEMESH_LAN_INTERFACES" // Config.Discovery.Interfaces, with commas
	EnvLANPrefixes   = "STATEMESH_LAN_PREFIXES"   // Config.Discovery.Prefixes, with commas

	EnvTLSCA   = "STATEMESH_TLS_CA"   // Config.Certificates.CA
	EnvTLSCert = "STATEMESH_TLS_CERT" // Config.Certificates.Cert
	EnvTLSKey  = "STATEMESH_TLS_KEY"  // Config.Certificates.Key
)

const maxAttempts = 1_000_000

// Load returns the Config that the environment and the file .env in dir say; "" is the
// current directory. What both leave out stays zero, which means the default, so a
// program may change the result before it uses it. Starting a node reads them too, for
// fields that are still zero: Load is for who wants to see or change them first.
//
// The environment goes before the file. There need not be a file; see Config.Dir for
// how it is read. Neither the environment nor the file is changed. The error wraps
// ErrConfig, tells all mistakes, and shows no value.
func Load(dir string) (Config, error) {
	c := Config{Dir: dir}
	env, err := readEnvironment(dir)
	if err != nil {
		return c, err
	}
	err = env.fill(&c)
	return c, err
}

// environment is the process's environment and the .env file behind it.
type environment struct {
	path string            // of the file, whether it is there or not
	file map[string]string // what it says
	mode fs.FileMode       // 0 if there is none
}

func readEnvironment(dir string) (environment, error) {
	e := environment{path: filepath.Join(dir, dotenvName)}
	content, mode, err := readDotenv(e.path)
	if err != nil {
		return e, err
	}
	if e.file, err = parseDotenv(content); err != nil {
		return e, misconfigured(e.path, "%w", err)
	}
	e.mode = mode
	return e, nil
}

// get returns the value and, for messages, the name with where it comes from.
func (e environment) get(name string) (value, where string) {
	if value := os.Getenv(name); value != "" {
		return value, name + " in the environment"
	}
	return e.file[name], name + " in " + e.path
}

// fill sets the zero fields that have a variable. The error joins all mistakes.
func (e environment) fill(c *Config) error {
	v := lookup{environment: e}
	look := v.look
	number := func(field *int, most int) func(string) error {
		return func(value string) error {
			n, err := wholeNumber(value, 1, most)
			if err != nil {
				return errors.New("it has to be " + err.Error())
			}
			*field = n
			return nil
		}
	}
	look(c.User != "", EnvUser, func(value string) error { c.User = value; return nil })
	look(!c.Password.IsZero(), EnvPassword, func(value string) error { c.Password = NewSecret(value); return nil })
	look(c.Port != 0, EnvPort, number(&c.Port, 65535))
	var seconds int
	look(c.Heartbeat != 0, EnvHeartbeat, number(&seconds, maxHeartbeat))
	if c.Heartbeat == 0 {
		c.Heartbeat = time.Duration(seconds) * time.Second
	}
	look(c.ConnectionAttempts != 0, EnvAttempts, number(&c.ConnectionAttempts, maxAttempts))
	v.keys(c)
	for _, file := range []struct {
		name string
		path *string
	}{{EnvTLSCA, &c.Certificates.CA}, {EnvTLSCert, &c.Certificates.Cert}, {EnvTLSKey, &c.Certificates.Key}} {
		look(*file.path != "", file.name, func(value string) error { *file.path = value; return nil })
	}
	look(c.LAN, EnvLAN, func(value string) error { return yesOrNo(value, &c.LAN) })
	if c.LAN {
		look(c.Discovery.Interfaces != nil, EnvLANInterfaces, func(value string) error {
			c.Discovery.Interfaces = splitList(value)
			return nil
		})
		look(c.Discovery.Prefixes != nil, EnvLANPrefixes, func(value string) error {
			return prefixes(value, &c.Discovery.Prefixes)
		})
	}
	return errors.Join(v.errs...)
}

// fillKeys sets the zero fields of the keys alone, and adds to the others.
func (e environment) fillKeys(c *Config) error {
	v := lookup{environment: e}
	v.keys(c)
	return errors.Join(v.errs...)
}

// withoutOwn takes the keys out of a Config that the environment and the file say too, so
// that they are read there again when they change.
func (e environment) withoutOwn(c Config) Config {
	own := func(name string, k seal.Key) bool {
		value, _ := e.get(name)
		parsed, err := seal.ParseKey(value)
		return err == nil && parsed.Equal(k)
	}
	for _, k := range []struct {
		name string
		key  *seal.Key
		more *[]seal.Key
	}{
		{EnvMeshKey, &c.MeshKey, &c.OpenMeshKeys},
		{EnvTraceKey, &c.TraceKey, &c.OpenTraceKeys},
		{EnvSpyKey, &c.SpyKey, &c.OpenSpyKeys},
	} {
		if own(k.name, *k.key) {
			*k.key = seal.Key{}
		}
		*k.more = slices.DeleteFunc(slices.Clone(*k.more), func(other seal.Key) bool {
			return own(k.name+EnvNext, other) || own(k.name+EnvPrevious, other)
		})
	}
	return c
}

// lookup reads variables and collects their mistakes.
type lookup struct {
	environment
	errs []error
}

// look calls use with the value if the field is not set yet and the variable is.
func (v *lookup) look(isSet bool, name string, use func(value string) error) {
	if isSet {
		return
	}
	value, where := v.get(name)
	if value == "" {
		return
	}
	err := use(value)
	if strings.Contains(value, "${") && value == v.file[name] {
		err = errors.New("it refers to another variable, which is not followed here; write the value itself")
	}
	if err != nil {
		v.errs = append(v.errs, misconfigured(where, "%w", err))
	}
}

func (v *lookup) keys(c *Config) {
	key := func(field *seal.Key) func(string) error {
		return func(value string) (err error) {
			*field, err = seal.ParseKey(value)
			return err
		}
	}
	for _, k := range []struct {
		name string
		key  *seal.Key
		more *[]seal.Key
	}{
		{EnvMeshKey, &c.MeshKey, &c.OpenMeshKeys},
		{EnvTraceKey, &c.TraceKey, &c.OpenTraceKeys},
		{EnvSpyKey, &c.SpyKey, &c.OpenSpyKeys},
	} {
		v.look(!k.key.IsZero(), k.name, key(k.key))
		for _, suffix := range []string{EnvNext, EnvPrevious} {
			var more seal.Key
			v.look(false, k.name+suffix, key(&more))
			if !more.IsZero() && !slices.ContainsFunc(*k.more, more.Equal) {
				*k.more = append(slices.Clip(*k.more), more)
			}
		}
	}
}

func yesOrNo(value string, field *bool) error {
	switch strings.ToLower(value) {
	case "1", "true", "yes":
		*field = true
	case "0", "false", "no":
	default:
		return errors.New("it has to be 1 or 0")
	}
	return nil
}

// splitList parts a list at its commas.
func splitList(value string) []string {
	var items []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func prefixes(value string, field *[]netip.Prefix) error {
	for _, item := range splitList(value) {
		p, err := netip.ParsePrefix(item)
		if err != nil {
			return errors.New("it has to be prefixes like 192.168.1.0/24, with commas between them")
		}
		*field = append(*field, p.Masked())
	}
	return nil
}

// exposed says whether other users of the machine may read or write the secrets of the
// file. Where there are no such modes, os shows 0666 for every file.
func (e environment) exposed() bool {
	const others = 0o006
	if !hasModes || e.mode&others == 0 {
		return false
	}
	for _, name := range []string{EnvPassword, EnvMeshKey, EnvTraceKey, EnvSpyKey} {
		if e.file[name] != "" {
			return true
		}
	}
	return false
}
