package dev.penstock.gateway.links;

import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.DatagramStream;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.net.Loop;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// A way for a client to an agent: a link of the agent's to this node, or to another node that is
/// asked to carry the stream on. Two ways that are equal are one and the same: a client that failed
/// on one is not given to it again. Safe for use by several threads.
public interface Way {
  /// Where streams on this way, and their clients' sockets, live.
  Loop loop();

  /// Whether the other end of a stream understands this.
  boolean can(Capability capability);

  /// Whether the other end says what became of a dial for a stream of this protocol.
  boolean reportsDials(Protocol protocol);

  /// How the datagrams of a flow stand in its stream.
  DatagramStream.Framing framing();

  /// The node whose agents these are; empty for this one.
  default String node() {
    return "";
  }

  /// Opens a stream and sends its header. On the loop only.
  ///
  /// @param listenerPort the port of its own host that an original agent in JSON dials instead of
  ///   the service; of no use to an agent at another node
  /// @return null when no more streams are taken
  @Nullable LinkStream open(StreamHeader header, int listenerPort);

  /// Gives a client to this way. The client's connection must be registered on the [#loop].
  void carry(Client client);

  /// Gives a flow of datagrams to this way.
  ///
  /// @param timeout how long nothing may go in either direction
  void carry(UdpFlow flow, Duration timeout);

  /// How busy it is: streams per link.
  int load();

  /// Whether it should be taken while there are others: it is not silent, and dials over it do not
  /// fail in a row.
  ///
  /// @param now nanoseconds of a monotonic clock
  boolean isFit(long now);

  /// The id of the link, for operators; null where another node has it.
  default @Nullable String linkId() {
    return null;
  }

  /// The node that has the link; null where this one has.
  default @Nullable String via() {
    return null;
  }

  /// Counts a stream from its choice on, so that a burst of clients is spread.
  void chosen();

  /// The stream that was [#chosen] is over.
  void released();

  /// A stream reached the service.
  void reached(DialStatus status);

  /// A stream did not reach the service.
  ///
  /// @return whether that was the agent's failure, and not only one of the way to it
  boolean failed(DialStatus why);
}
