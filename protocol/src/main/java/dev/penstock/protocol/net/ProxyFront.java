package dev.penstock.protocol.net;

import java.net.InetAddress;
import java.time.Duration;
import java.util.function.Predicate;

/// Who may stand in front of a listener and say, by a header of the PROXY protocol, for whom it
/// connects. The header of anybody else is data like other data, or the end of the connection.
///
/// @param trusted whose headers are believed; asked on the listener's loop, must not block
/// @param timeout from the connection until its header is complete
public record ProxyFront(Mode mode, Predicate<InetAddress> trusted, Duration timeout) {
  /// Nobody's header is read.
  public static final ProxyFront OFF = new ProxyFront(Mode.OFF, _ -> false, Duration.ZERO);

  /// What is done with connections.
  public enum Mode {
    /// All are taken as they are.
    OFF,
    /// One of a trusted peer may begin with a header; a trusted peer that says nothing within the
    /// timeout is taken as it is.
    OPTIONAL,
    /// One without a header of a trusted peer is refused.
    REQUIRED
  }

  /// Why a connection was cut before it was accepted.
  public enum Refusal {
    /// A header is required, and this peer's would not be believed.
    UNTRUSTED,
    /// A header is required, and the connection began with something else.
    MISSING,
    /// It began as a header and went on as none, or the header was too long.
    MALFORMED,
    /// The header was not complete in time.
    TIMED_OUT,
    /// Too many connections wait for their header.
    TOO_MANY,
    /// The peer left first.
    GONE
  }
}
