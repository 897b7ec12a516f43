// Package lantest has tests that run programs of this project on several hosts, which
// are network namespaces: whether nodes find each other, and keep up with each other, when
// brokers die, links are cut, and strangers are on the LAN. They take a minute or two, and
// root.
package lantest
