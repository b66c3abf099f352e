/// Thousands of agents in one process, to see how they come back together.
@NullMarked
package dev.penstock.testkit.swarm;

import org.jspecify.annotations.NullMarked;
