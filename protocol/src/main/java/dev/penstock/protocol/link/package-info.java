/// A link: one WebSocket with control messages and one yamux session on it, as a graph stage and a
/// handle for actors.
@NullMarked
package dev.penstock.protocol.link;

import org.jspecify.annotations.NullMarked;
