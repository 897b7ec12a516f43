package network

import (
	"crypto/tls"
	"errors"
)

// tlsSettings is the share of TLS in settings.
type tlsSettings struct {
	identity *identity   // what the files of Certificates hold, nil if they are not used
	serving  *tls.Config // what a hosted broker serves with; nil is in clear
}

// errClear: an address that does not say whether the password may be read on the way.
var errClear = errors.New("the user name and the password would cross the network in clear: " +
	"write amqps:// before the host for TLS, or amqp:// if clear is meant")

// speaksAMQP says whether the brokers are real ones, to which a password is sent.
func (s *settings) speaksAMQP() bool {
	_, is := s.Transport.(*AMQP)
	return s.Transport == nil || is
}

// tlsConfig is what the program itself has set, nil for nothing.
func (s *settings) tlsConfig() *tls.Config {
	if t, is := s.Transport.(*AMQP); is {
		return t.TLS
	}
	return s.TLS
}

// certificates decides on identity and serving.
func (s *settings) certificates() []error {
	if !s.speaksAMQP() {
		return nil
	}
	if config := s.tlsConfig(); config != nil {
		if config.ClientCAs != nil && (len(config.Certificates) > 0 || config.GetCertificate != nil) {
			s.serving = config
		}
		return nil
	}
	if s.Transport != nil {
		return nil
	}
	identity, err := s.Certificates.load(s.Dir)
	switch {
	case err != nil:
		return []error{err}
	case identity == nil:
		return nil
	case s.Broker == "": // others have to take what we show, and they trust whom we trust
		if err := identity.checkOwn(); err != nil {
			return []error{err}
		}
	}
	s.identity, s.serving = identity, identity.server()
	return nil
}

// lanTLS checks that a node which has anything to do with TLS finds others with TLS, and never
// falls back to less. It does so if its own broker is an amqps one: all that is found is
// met as that is.
func (s *settings) lanTLS() error {
	config := s.tlsConfig()
	switch {
	case !s.speaksAMQP() || s.own.Host == "": // which is a mistake that is told already
		return nil
	case s.own.TLS:
		if config == nil && (s.identity == nil || s.identity.roots == nil) {
			return misconfigured("LAN", "with TLS, hosts that are found by their addresses have no names to check: set %s to the authority that signs for them", EnvTLSCA)
		}
		return nil
	case config == nil && s.identity == nil:
		return nil // in clear, as LAN says
	case s.Broker != "":
		return misconfigured("LAN", "with certificates, nothing is sent in clear: Broker has to begin with amqps://")
	case config != nil:
		return misconfigured("LAN", "TLS has to have certificates and ClientCAs, for the broker that the node may host")
	}
	return misconfigured("LAN", "with %s, a hosted broker serves nothing but TLS: set %s and %s, too; statemesh keygen -tls writes all three",
		EnvTLSCA, EnvTLSCert, EnvTLSKey)
}
