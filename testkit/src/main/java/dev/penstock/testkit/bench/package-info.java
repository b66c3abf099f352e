/// The benchmark kit: measures tunnels that run as processes of their own, round by round, and
/// prints tables.
@NullMarked
package dev.penstock.testkit.bench;

import org.jspecify.annotations.NullMarked;
