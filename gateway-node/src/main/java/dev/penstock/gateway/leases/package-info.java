/// Which tunnel has which public port, and what lasts of it.
@NullMarked
package dev.penstock.gateway.leases;

import org.jspecify.annotations.NullMarked;
