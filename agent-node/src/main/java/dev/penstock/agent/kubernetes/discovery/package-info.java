/// What follows from the objects of a Kubernetes cluster: which tunnels there should be, and what
/// is to be written about them. Pure: no I/O, no clock, no threads.
@NullMarked
package dev.penstock.agent.kubernetes.discovery;

import org.jspecify.annotations.NullMarked;
