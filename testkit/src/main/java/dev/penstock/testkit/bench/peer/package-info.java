/// The tunnels that can be measured, each as one adapter that knows its configuration.
@NullMarked
package dev.penstock.testkit.bench.peer;

import org.jspecify.annotations.NullMarked;
