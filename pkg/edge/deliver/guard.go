package deliver

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

var errAddress = errors.New("the receiver's name leads to a loopback, private, link-local or reserved address, and allow_private is not set")

// reserved are ranges that netip.Addr has no method for and that lead to other than public hosts (IANA's registries of special-purpose
// addresses). Those that embed an IPv4 address are refused as a whole, since a gateway would lead to whatever it embeds.
func reserved() []netip.Prefix {
	var all []netip.Prefix
	for _, p := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10",
	} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

// public reports whether an address is one that any host of the internet may have.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || !a.IsGlobalUnicast() || a.IsPrivate() { // not global: loopback, link-local, multicast, unspecified, broadcast
		return false
	}
	for _, p := range reserved() {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// guard refuses an address at the moment of connecting, after the name was resolved. To resolve and check the name before was rejected: it
// may resolve to another address the next time (DNS rebinding).
func guard(allowPrivate bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		//mutant:private-address-allowed if false && $
		if !allowPrivate && !public(at.Addr()) {
			return errAddress
		}
		return nil
	}
}
