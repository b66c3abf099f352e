/// The Kubernetes and Gateway API objects that the agent reads, as small values of our own, filled
/// from generic JSON: one code path for every version of a kind, whatever client fetched it. Pure:
/// no I/O, no clock, no threads.
@NullMarked
package dev.penstock.agent.kubernetes.objects;

import org.jspecify.annotations.NullMarked;
