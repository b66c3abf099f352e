/// Protection of tunnels from single sources: who may connect, how often and how many at a time.
/// Pure; time is an argument.
@NullMarked
package dev.penstock.gateway.sources;

import org.jspecify.annotations.NullMarked;
