/// The services: what a stream is connected to.
@NullMarked
package dev.penstock.agent.serve;

import org.jspecify.annotations.NullMarked;
