/// Streams in JSON messages: the state machines, without I/O, clock or threads.
@NullMarked
package dev.penstock.protocol.json;

import org.jspecify.annotations.NullMarked;
