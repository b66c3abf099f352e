/// Tunnels: their leases, their listeners, their clients.
@NullMarked
package dev.penstock.gateway.tunnels;

import org.jspecify.annotations.NullMarked;
