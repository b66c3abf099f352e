package dev.penstock.protocol.json;

import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.yamux.RoundTrip;
import dev.penstock.protocol.yamux.SessionCounters;
import org.jspecify.annotations.Nullable;

/// The pings of one session in JSON: messages like those of the original, told apart by their ids.
/// One owner thread.
final class SessionPing {
  private static final String PREFIX = "penstock-ping-";

  private final RoundTrip roundTrip = new RoundTrip();
  private long sent;

  /// Whether a ping comes from a session of the peer.
  static boolean isOne(ControlMessage.Ping ping) {
    return ping.requestId().startsWith(PREFIX);
  }

  /// The next ping to send; null while one is unanswered.
  ControlMessage.@Nullable Ping next(long now) {
    if (roundTrip.isUnanswered()) {
      return null;
    }
    roundTrip.sent(now);
    sent++;
    return new ControlMessage.Ping(PREFIX + sent, "");
  }

  /// Whether the pong answers the ping under way, which is then answered.
  boolean answeredBy(ControlMessage.Pong pong, long now, SessionCounters counters) {
    if (!roundTrip.isUnanswered() || !pong.requestId().equals(PREFIX + sent)) {
      return false;
    }
    roundTrip.answered(now, counters);
    return true;
  }

  /// What was measured, and what is under way.
  RoundTrip roundTrip() {
    return roundTrip;
  }
}
