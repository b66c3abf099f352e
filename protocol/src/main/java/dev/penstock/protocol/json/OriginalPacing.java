package dev.penstock.protocol.json;

import java.time.Duration;

/// How carefully an original agent is spoken to in JSON. It hands every message to a task of its
/// own, so two that are close together may be swapped; it loses data that comes before its dial is
/// done, and never says that it is; the first end of either direction ends its connection.
///
/// @param hold how long data of the client waits for first bytes of the service, which show that
///   the dial is done
/// @param pause between two data messages of a connection, or datagrams of a flow
/// @param linger how long the service may stay silent after the client's end, before the connection
///   is closed
/// @param patience how long a client that does not read may stop the whole link, which knows no
///   other flow control, before it is reset
public record OriginalPacing(Duration hold, Duration pause, Duration linger, Duration patience) {
  public static OriginalPacing defaults() {
    return new OriginalPacing(
        Duration.ofMillis(250), Duration.ofMillis(5), Duration.ofSeconds(5), Duration.ofSeconds(5));
  }
}
