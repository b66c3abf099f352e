/// What is written to a Kubernetes cluster, by the one agent that may: statuses, events, our own
/// objects.
@NullMarked
package dev.penstock.agent.kubernetes.publish;

import org.jspecify.annotations.NullMarked;
