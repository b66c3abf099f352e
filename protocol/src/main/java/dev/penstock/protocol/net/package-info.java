/// The transport: Netty event loops that are Pekko dispatchers, and TCP, TLS and WebSocket
/// connections as Pekko Streams flows on them. The only package that sees Netty.
@NullMarked
package dev.penstock.protocol.net;

import org.jspecify.annotations.NullMarked;
