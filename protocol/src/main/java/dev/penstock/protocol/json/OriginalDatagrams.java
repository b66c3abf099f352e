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
/// there; so each client has a tunnel id of its own. It has no message for an end: it forgets the
/// socket after some minutes.
final class OriginalDatagrams extends OriginalStream {
  private final StreamHeader header;

  OriginalDatagrams(
      OriginalSession session, String tunnelId, StreamHeader header, StreamListener listener) {
    super(session, tunnelId, listener);
    this.header = header;
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

  @Override
  boolean take(TunnelMessage message, long now) {
    if (message instanceof UdpData udp && !peerFinished) {
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
    unsent = null;
    CallerAddress caller = header.caller();
    var message =
        new UdpData(
            name(),
            Direction.TO_AGENT,
            bytes,
            caller == null ? "" : caller.client().getAddress().getHostAddress(),
            caller == null ? 0 : caller.client().getPort(),
            OriginalConnection.gatewayPort(header));
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
    return unsent != null || (finishing && !peerFinished) ? Long.valueOf(now) : patienceEnds();
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
}
