/// What gateway and agent say to each other besides tunnelled bytes: the JSON messages of a link,
/// the records at the head of a stream, and the bodies of the REST call that registers a tunnel.
/// Pure: no I/O, no clock, no threads of its own.
@NullMarked
package dev.penstock.protocol.control;

import org.jspecify.annotations.NullMarked;
