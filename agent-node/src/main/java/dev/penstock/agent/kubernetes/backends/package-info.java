/// Which address a connection to a Service goes to: endpoint slices in, candidates out. Pure: no
/// I/O, no clock, no threads, chance is passed in.
@NullMarked
package dev.penstock.agent.kubernetes.backends;

import org.jspecify.annotations.NullMarked;
