/// The agent in a Kubernetes cluster: what is found there is exposed, and told where users look.
@NullMarked
package dev.penstock.agent.kubernetes;

import org.jspecify.annotations.NullMarked;
