/// What is in a Kubernetes cluster, kept up to date by watches.
@NullMarked
package dev.penstock.agent.kubernetes.watch;

import org.jspecify.annotations.NullMarked;
