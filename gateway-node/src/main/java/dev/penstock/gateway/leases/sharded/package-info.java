/// The leases of a cluster of gateways: who has which port is decided by sharded entities, one for
/// each block of ports and one for each tenant, whose events are in a database.
@NullMarked
package dev.penstock.gateway.leases.sharded;

import org.jspecify.annotations.NullMarked;
