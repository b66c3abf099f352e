package dev.penstock.protocol.json;

import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.InTunnel;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.control.TunnelMessage;
import dev.penstock.protocol.control.TunnelMessage.Direction;
import dev.penstock.protocol.json.JsonStream.DialPart;
import dev.penstock.protocol.yamux.ByteBudget;
import dev.penstock.protocol.yamux.CloseCause;
import dev.penstock.protocol.yamux.ProtocolViolation;
import dev.penstock.protocol.yamux.ReceiveWindow;
import dev.penstock.protocol.yamux.SessionSettings;
import dev.penstock.protocol.yamux.StreamListener;
import java.util.LinkedHashSet;
import org.jspecify.annotations.Nullable;

/// The state machine of streams in JSON messages between two ends that both named
/// [dev.penstock.protocol.control.Capability#CREDITS]: messages and calls in, messages and
/// callbacks out; no I/O, no clock, no threads. One owner thread.
///
/// What a yamux session promises, this one does too: streams have receive windows of 256 KiB that
/// grow within a [ByteBudget], data of the streams takes turns, each direction ends on its own.
/// Besides, data messages are numbered, and whoever breaks a rule loses that one stream
/// ([TunnelFault]).
///
/// Memory is bounded, whatever the peer does: streams and waiting messages by [SessionSettings],
/// unread bytes by windows and budget.
public final class JsonSession extends MessageSession<JsonStream> {
  private final Side side;
  private final DialAnswers answers;

  /// Streams whose reader made room that the peer was not told of.
  private final LinkedHashSet<JsonStream> owing = new LinkedHashSet<>();

  /// Streams with something to send, in turn.
  private final LinkedHashSet<JsonStream> ready = new LinkedHashSet<>();

  private long opened;

  /// Which end of the link this is. Only the gateway opens streams.
  public enum Side {
    GATEWAY,
    AGENT
  }

  /// Whether the agent says how its dial went, as
  /// [dev.penstock.protocol.control.Capability#DIAL_STATUS] has it.
  public enum DialAnswers {
    GIVEN,
    NONE
  }

  public JsonSession(
      Side side,
      DialAnswers answers,
      SessionSettings settings,
      ByteBudget budget,
      JsonListener listener) {
    super(settings, budget, listener);
    this.side = side;
    this.answers = answers;
  }

  /// Opens a stream as the gateway; writes may start at once.
  ///
  /// @return null when this end may open no more: the session ended, it is the agent's, or a limit
  ///   is reached
  public @Nullable JsonStream open(StreamHeader header, StreamListener listener) {
    if (isEnded()
        || side != Side.GATEWAY
        || streams.size() >= settings.maxStreams()
        || control.size() >= settings.maxPendingOpens()) {
      return null;
    }
    String id = Long.toString(++opened);
    var stream =
        new JsonStream(
            this,
            id,
            JsonStream.initialWindow(),
            answers == DialAnswers.GIVEN ? DialPart.IS_ANSWERED : DialPart.NONE);
    stream.listen(listener);
    streams.put(id, stream);
    send(new TunnelMessage.Start(id, header, 0, JsonStream.initialWindow()));
    return stream;
  }

  /// Takes a message of the peer. Ignored after [#end].
  ///
  /// @param now nanoseconds of a monotonic clock
  /// @throws ProtocolViolation the peer makes us answer faster than it reads: the owner closes the
  ///   transport and calls [#end]
  public void onMessage(TunnelMessage message, long now) throws ProtocolViolation {
    if (isEnded()) {
      return;
    }
    refuseFlood();
    if (message instanceof TunnelMessage.Start start) {
      opened(start);
      return;
    }
    JsonStream stream = streams.get(message.requestId());
    if (stream == null) {
      // Late ones of a stream that was just reset are normal.
      counters.strayFrames++;
      if (message instanceof TunnelMessage.Unreadable) {
        listener.faulty(TunnelFault.UNREADABLE);
      }
      return;
    }
    switch (message) {
      case TunnelMessage.Data data -> stream.data(data, now);
      case TunnelMessage.Credit credit -> stream.addSendCredit(credit.bytes());
      case TunnelMessage.Dial dial -> stream.dial(dial.status(), now);
      case TunnelMessage.Close _ -> stream.peerReset();
      case TunnelMessage.Unreadable _ -> stream.fault(TunnelFault.UNREADABLE);
      case TunnelMessage.Start _, TunnelMessage.UdpData _ -> counters.strayFrames++;
    }
  }

  private void opened(TunnelMessage.Start start) {
    String id = start.requestId();
    JsonStream present = streams.get(id);
    if (side == Side.GATEWAY) {
      refuse(id, TunnelFault.FOREIGN_STREAM);
    } else if (present != null) {
      present.fault(TunnelFault.DUPLICATE_ID);
    } else if (start.credits() == TunnelMessage.Start.NO_CREDITS) {
      refuse(id, TunnelFault.CREDIT);
    } else if (streams.size() >= settings.maxStreams()) {
      counters.refusedOpens++;
      refuse(id, TunnelFault.TOO_MANY_STREAMS);
    } else {
      var stream =
          new JsonStream(
              this,
              id,
              start.credits(),
              answers == DialAnswers.GIVEN ? DialPart.ANSWERS : DialPart.NONE);
      streams.put(id, stream);
      listener.opened(stream, start.header());
      if (!stream.hasListener()) {
        throw new IllegalStateException(stream + ": listener: none (expected: set in opened())");
      }
    }
  }

  private void refuse(String id, TunnelFault fault) {
    send(new TunnelMessage.Close(id, fault.reason(), ""));
    listener.faulty(fault);
  }

  /// Answers a ping of the peer's session, at once and in its turn.
  ///
  /// @return false when the ping is not one of a session
  public boolean onPing(ControlMessage.Ping ping) throws ProtocolViolation {
    if (!SessionPing.isOne(ping)) {
      return false;
    }
    refuseFlood();
    if (!isEnded()) {
      control.add(new ControlMessage.Pong(ping.requestId(), ""));
    }
    return true;
  }

  /// The next message for the peer: first what is no data, then data of the ready streams in turn,
  /// at most [SessionSettings#steadyFrame] bytes each. Null when there is nothing to send.
  public @Nullable ControlMessage next() {
    while (true) {
      ControlMessage first = control.poll();
      if (first != null) {
        return first;
      }
      if (!owing.isEmpty()) {
        JsonStream stream = owing.removeFirst();
        return new InTunnel(new TunnelMessage.Credit(stream.requestId(), stream.takeOwedCredit()));
      }
      if (ready.isEmpty()) {
        return null;
      }
      // An empty write gives none, but what it lets its writer say may have to go before all data.
      InTunnel message = ready.removeFirst().next();
      if (message != null) {
        return message;
      }
    }
  }

  @Override
  public boolean hasOutput() {
    return !control.isEmpty() || !owing.isEmpty() || !ready.isEmpty();
  }

  @Override
  void close(JsonStream stream, CloseCause cause) {
    stream.close(cause);
  }

  Direction outwards() {
    return side == Side.GATEWAY ? Direction.TO_AGENT : Direction.TO_GATEWAY;
  }

  int grant(ReceiveWindow window, long now) {
    return window.grant(now, ping.roundTrip().nanos(), settings.maxWindow(), budget, counters);
  }

  void owesCredit(JsonStream stream) {
    owing.add(stream);
  }

  void ready(JsonStream stream) {
    ready.add(stream);
  }

  void closed(JsonStream stream) {
    streams.remove(stream.requestId());
    owing.remove(stream);
    ready.remove(stream);
  }
}
