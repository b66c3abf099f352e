package dev.penstock.protocol.json;

import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.InTunnel;
import dev.penstock.protocol.control.TunnelMessage;
import dev.penstock.protocol.yamux.ByteBudget;
import dev.penstock.protocol.yamux.CloseCause;
import dev.penstock.protocol.yamux.MuxSession;
import dev.penstock.protocol.yamux.ProtocolViolation;
import dev.penstock.protocol.yamux.SessionCounters;
import dev.penstock.protocol.yamux.SessionSettings;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What both kinds of sessions in JSON messages have: streams by name, messages that wait to be
/// sent, pings, and an end. Not thread-safe: one owner thread.
///
/// @param <S> its streams
abstract sealed class MessageSession<S> implements MuxSession permits JsonSession, OriginalSession {
  final SessionSettings settings;
  final ByteBudget budget;
  final JsonListener listener;
  final SessionCounters counters = new SessionCounters();
  final SessionPing ping = new SessionPing();
  final Map<String, S> streams = new HashMap<>();

  /// What goes before all data: opening, ending, answers, pings.
  final ArrayDeque<ControlMessage> control = new ArrayDeque<>();

  private boolean ended;

  MessageSession(SessionSettings settings, ByteBudget budget, JsonListener listener) {
    this.settings = settings;
    this.budget = budget;
    this.listener = listener;
  }

  /// Ends a stream without a message.
  abstract void close(S stream, CloseCause cause);

  /// Whether the pong answers a ping of this session; then nobody else need look at it.
  public final boolean onPong(ControlMessage.Pong pong, long now) {
    return ping.answeredBy(pong, now, counters);
  }

  @Override
  public final void ping(long now) {
    ControlMessage.Ping due = ended ? null : ping.next(now);
    if (due != null) {
      control.add(due);
    }
  }

  @Override
  public final long rttNanos() {
    return ping.roundTrip().nanos();
  }

  @Override
  public final @Nullable Long pingSentNanos() {
    return ping.roundTrip().sentNanos();
  }

  /// Counts what was odd but not fatal.
  @Override
  public final SessionCounters counters() {
    return counters;
  }

  @Override
  public void end() {
    if (ended) {
      return;
    }
    ended = true;
    ping.roundTrip().forget();
    List.copyOf(streams.values()).forEach(stream -> close(stream, CloseCause.SESSION_ENDED));
    control.clear();
  }

  /// Streams that are not closed.
  public final int streamCount() {
    return streams.size();
  }

  final boolean isEnded() {
    return ended;
  }

  final ByteBudget budget() {
    return budget;
  }

  final int steadyFrame() {
    return settings.steadyFrame();
  }

  final void send(TunnelMessage message) {
    if (!ended) {
      control.add(new InTunnel(message));
    }
  }

  final void faulty(TunnelFault fault) {
    listener.faulty(fault);
  }

  /// @throws ProtocolViolation the peer makes us answer faster than it reads
  final void refuseFlood() throws ProtocolViolation {
    if (control.size() >= settings.maxControlBacklog()) {
      throw new ProtocolViolation(
          "messages waiting: %d (expected: fewer than %d)"
              .formatted(control.size(), settings.maxControlBacklog()));
    }
  }
}
