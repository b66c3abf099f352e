package dev.penstock.protocol.json;

import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.control.TunnelMessage;
import dev.penstock.protocol.control.TunnelMessage.Direction;
import dev.penstock.protocol.control.TunnelMessage.UdpData;
import dev.penstock.protocol.yamux.CloseCause;
import dev.penstock.protocol.yamux.StreamListener;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// One client's datagrams through an original agent, each write and each piece received being one.
///
/// The original has one socket for each tunnel id and sends every answer to all clients that it saw
/// there; so each client has a tunnel id of its own. It handles each datagram in a task of its own,
/// so the next one waits for a while. It has no message for an end: it forgets the socket after
/// some minutes, see [OriginalSockets].
final class OriginalDatagrams extends OriginalStream {
  private final StreamHeader header;
  private final int listenerPort;

  /// Not before this time the next datagram may follow.
  private long quietUntil;

  /// Whether [#quietUntil] means anything.
  private boolean quiet;

  private long lastUse;

  OriginalDatagrams(
      OriginalSession session,
      String tunnelId,
      StreamHeader header,
      int listenerPort,
      StreamListener listener,
      long now) {
    super(session, tunnelId, listener);
    this.header = header;
    this.listenerPort = listenerPort;
    this.lastUse = now;
  }

  @Override
  public void finish() {
    if (!finishing && !closed) {
      finishing = true;
      session.activate(this);
    }
  }

  @Override
  public void reset() {
    close(CloseCause.RESET_LOCALLY);
  }

  /// An empty datagram has no meaning here: whether one was meant cannot be told from a message
  /// without data.
  @Override
  boolean take(TunnelMessage message, long now) {
    if (message instanceof UdpData udp && !peerFinished && udp.data().hasRemaining()) {
      lastUse = now;
      received(udp.data(), now);
      return true;
    }
    return false;
  }

  @Override
  @Nullable TunnelMessage next(long now) {
    if (outOfPatience(now)) {
      return null;
    }
    ByteBuffer bytes = unsent;
    if (bytes == null) {
      if (finishing) {
        tellPeerFinished();
        consumedAll();
      }
      return null;
    }
    if (quiet && quietUntil - now > 0) {
      return null;
    }
    unsent = null;
    quiet = true;
    quietUntil = now + session.pacing().pause().toNanos();
    lastUse = now;
    CallerAddress caller = header.caller();
    var message =
        new UdpData(
            name(),
            Direction.TO_AGENT,
            bytes,
            caller == null ? "" : caller.client().getAddress().getHostAddress(),
            caller == null ? 0 : caller.client().getPort(),
            listenerPort);
    if (!finishing) {
      tellWritable();
    }
    return message;
  }

  @Override
  boolean isActive() {
    return !closed && (unsent != null || patienceEnds() != null || (finishing && !peerFinished));
  }

  @Override
  @Nullable Long due(long now) {
    if (unsent != null) {
      return quiet ? quietUntil : now;
    }
    return finishing && !peerFinished ? Long.valueOf(now) : patienceEnds();
  }

  @Override
  void consumedAll() {
    if (finishing && peerFinished && unread() == 0) {
      close(CloseCause.FINISHED);
    }
  }

  @Override
  void overBudget() {
    session.counters().overBudgetResets++;
    close(CloseCause.OVER_BUDGET);
  }

  @Override
  void close(CloseCause cause) {
    if (!closed) {
      session.socketLeft(lastUse);
    }
    super.close(cause);
  }
}
