/// What every process of this project is made of: an actor system on event loops, and a life until
/// a signal.
@NullMarked
package dev.penstock.node;

import org.jspecify.annotations.NullMarked;
