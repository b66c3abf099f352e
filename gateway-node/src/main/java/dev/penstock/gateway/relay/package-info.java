/// The relay: streams from the node that accepted a client to the node that holds a link of the
/// tunnel's agent, at most one hop.
@NullMarked
package dev.penstock.gateway.relay;

import org.jspecify.annotations.NullMarked;
