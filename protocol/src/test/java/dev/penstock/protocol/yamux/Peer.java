package dev.penstock.protocol.yamux;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/// One session whose peer is the test: typed frames go in, output is read in hex.
final class Peer implements SessionListener {
  final List<YamuxStream> opened = new ArrayList<>();
  final List<Recorder> recorders = new ArrayList<>();
  final List<GoAwayCode> goAways = new ArrayList<>();
  final ByteBudget budget;
  final YamuxSession session;
  long now;

  Peer(Role role) {
    this(role, SessionSettings.defaults(), 1L << 30);
  }

  Peer(Role role, SessionSettings settings, long budget) {
    this.budget = new ByteBudget(budget);
    this.session = new YamuxSession(role, settings, this.budget, this);
  }

  @Override
  public void opened(YamuxStream stream) {
    Recorder recorder = new Recorder();
    stream.listen(recorder);
    opened.add(stream);
    recorders.add(recorder);
  }

  @Override
  public void goAway(GoAwayCode code) {
    goAways.add(code);
  }

  void send(ByteBuffer... frames) throws ProtocolViolation {
    for (ByteBuffer frame : frames) {
      session.onBytes(frame, now);
    }
  }

  String output() {
    return Bytes.output(session);
  }

  YamuxStream open(StreamListener listener) {
    return switch (session.open(listener)) {
      case OpenResult.Opened(YamuxStream stream) -> stream;
      case OpenResult.Refused(OpenResult.Reason reason) -> throw new AssertionError(reason);
    };
  }

  /// Lets a ping take `nanos`.
  void measureRtt(long nanos) throws ProtocolViolation {
    session.ping(now);
    byte[] ping = Bytes.outputBytes(session);
    now += nanos;
    ping[3] = Bytes.ACK;
    send(ByteBuffer.wrap(ping));
  }
}
