/// `penstock cluster up`: a cluster of gateways on this machine, to try things out.
@NullMarked
package dev.penstock.testkit.cluster;

import org.jspecify.annotations.NullMarked;
