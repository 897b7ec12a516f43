// Package discovery finds the peers of a mesh on the networks of this host.
//
// It climbs a ladder, and says of each rung what it did and why it gave up:
//
//  1. hosts: the hosts file, where a user names hosts ([ReadHosts])
//  2. cache: the cache file, with those that were peers before ([ReadCache]); it makes a
//     start faster and is never believed
//  3. table: whom the kernel knows on each network, as it stands
//  4. ping, arp, udp, tcp: the [Sweeps] of each network, until one finds somebody
//
// Each address that comes up is a [Candidate], and a scout looks closer at it: does the
// broker there let us in, and does somebody answer whom we understand? Its [Verdict]
// goes to whoever asked for the discovery. How to look is not known here: a [Prober]
// is handed in.
//
// [Discovery] goes on for as long as it lives, [Round] is one round of it. Nothing is sent
// to an address outside of the networks that are searched, or of [Options.Prefixes] if
// there are any, except to hosts that the hosts file names.
//
// All of it is done by charts: lan leads a round, recce climbs the rungs of the networks,
// hosts and cache deal with the files, and each candidate has a scout. Their trace tells
// what happened.
package discovery
