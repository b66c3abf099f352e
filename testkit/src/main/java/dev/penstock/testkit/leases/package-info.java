/// What clients of port leases saw, and whether it could have been.
@NullMarked
package dev.penstock.testkit.leases;

import org.jspecify.annotations.NullMarked;
