package dev.penstock.protocol.json;

import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.InTunnel;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.control.TunnelMessage;
import dev.penstock.protocol.control.TunnelMessage.Close;
import dev.penstock.protocol.yamux.ByteBudget;
import dev.penstock.protocol.yamux.CloseCause;
import dev.penstock.protocol.yamux.ProtocolViolation;
import dev.penstock.protocol.yamux.SessionSettings;
import dev.penstock.protocol.yamux.StreamListener;
import java.util.ArrayDeque;
import java.util.LinkedHashSet;
import org.jspecify.annotations.Nullable;

/// The state machine of streams towards an original agent in JSON messages, at the gateway's end:
/// messages, calls and times in, messages and callbacks out; no I/O, no clock, no threads. One
/// owner thread.
///
/// What the original lacks is made up for where that can be done, see [OriginalPacing]: one data
/// message of a connection is under way at a time, first bytes are held until the dial is done or
/// has failed, and a stream begins with a [dev.penstock.protocol.control.DialStatus] as one of our
/// own agent does, `connected` when the service spoke or nothing was heard for a while. There are
/// no windows: [#mayRead] says when the link must not be read because a client's unread bytes are
/// too many.
///
/// Streams are named by the `request_id` of a connection or the tunnel id of a client's datagrams.
public final class OriginalSession extends MessageSession<OriginalStream> {
  /// Unread bytes of one stream that stop the reading of the link.
  private static final int MAX_UNREAD = 1024 * 1024;

  private final String prefix;
  private final OriginalPacing pacing;

  /// Streams that may have something to say, now or later, in turn.
  private final LinkedHashSet<OriginalStream> active = new LinkedHashSet<>();

  /// Ends of connections whose dial may not be done: an end that overtook its start would be lost.
  private final ArrayDeque<LateClose> late = new ArrayDeque<>();

  /// Streams whose reader is far behind.
  private final LinkedHashSet<OriginalStream> full = new LinkedHashSet<>();

  /// The agent's UDP sockets, one for each client's flow.
  private final OriginalSockets sockets = new OriginalSockets();

  private long opened;

  private record LateClose(long due, Close message) {}

  /// @param prefix of this link's stream names, unlike that of any link before: the agent's
  ///   connections outlive their link
  public OriginalSession(
      String prefix,
      OriginalPacing pacing,
      SessionSettings settings,
      ByteBudget budget,
      JsonListener listener) {
    super(settings, budget, listener);
    this.prefix = prefix;
    this.pacing = pacing;
  }

  /// Opens a stream: a connection, or one client's datagrams, each write and each piece received
  /// being one.
  ///
  /// @param listenerPort what the agent dials, at its own host: the port of the listener
  /// @param now nanoseconds of a monotonic clock
  /// @return null when no more may be opened
  public @Nullable OriginalStream open(
      StreamHeader header, int listenerPort, StreamListener watcher, long now) {
    if (isEnded()
        || streams.size() >= settings.maxStreams()
        || control.size() + late.size() >= settings.maxPendingOpens()) {
      return null;
    }
    boolean datagrams = header.protocol() == Protocol.UDP;
    if (datagrams && !sockets.take(now)) {
      return null;
    }
    String name = prefix + "-" + ++opened;
    var stream =
        datagrams
            ? new OriginalDatagrams(
                this, header.tunnelId() + "-" + name, header, listenerPort, watcher, now)
            : new OriginalConnection(this, name, header, listenerPort, watcher);
    streams.put(stream.name(), stream);
    active.add(stream);
    return stream;
  }

  /// Takes a message of the agent. Ignored after [#end].
  ///
  /// @param now nanoseconds of a monotonic clock
  /// @throws ProtocolViolation the agent makes us answer faster than it reads
  public void onMessage(TunnelMessage message, long now) throws ProtocolViolation {
    if (isEnded()) {
      return;
    }
    refuseFlood();
    OriginalStream stream =
        streams.get(
            message instanceof TunnelMessage.UdpData udp ? udp.tunnelId() : message.requestId());
    if (stream == null || !stream.take(message, now)) {
      // The original ends every connection that was ended already once more.
      counters.strayFrames++;
      if (message instanceof TunnelMessage.Unreadable || message instanceof TunnelMessage.Start) {
        listener.faulty(
            message instanceof TunnelMessage.Start
                ? TunnelFault.FOREIGN_STREAM
                : TunnelFault.UNREADABLE);
      }
    }
  }

  /// The next message that may be sent at this time; null when there is none, see [#dueNanos].
  public @Nullable ControlMessage next(long now) {
    while (!late.isEmpty() && late.getFirst().due() - now <= 0) {
      control.add(new InTunnel(late.removeFirst().message()));
    }
    for (int turns = active.size(); turns > 0 && control.isEmpty(); turns--) {
      OriginalStream stream = active.removeFirst();
      TunnelMessage message = stream.next(now);
      if (stream.isActive()) {
        active.add(stream);
      }
      if (message != null) {
        return new InTunnel(message);
      }
    }
    return control.poll();
  }

  /// When [#next] should be called again though nothing else happened; null when it need not.
  public @Nullable Long dueNanos(long now) {
    Long due = late.isEmpty() ? null : late.getFirst().due();
    for (OriginalStream stream : active) {
      Long of = stream.due(now);
      if (of != null && (due == null || of - due < 0)) {
        due = of;
      }
    }
    return due;
  }

  /// Whether the link may be read. While it may not, [#dueNanos] tells when the client who is in
  /// the way is given up.
  public boolean mayRead() {
    return full.isEmpty();
  }

  @Override
  public boolean hasOutput() {
    return !control.isEmpty();
  }

  @Override
  public void end() {
    super.end();
    late.clear();
  }

  @Override
  void close(OriginalStream stream, CloseCause cause) {
    stream.close(cause);
  }

  OriginalPacing pacing() {
    return pacing;
  }

  /// The agent will forget the socket of a flow some time after this.
  void socketLeft(long lastUse) {
    sockets.left(lastUse);
  }

  void activate(OriginalStream stream) {
    active.add(stream);
  }

  /// Sends an end, not before `due`.
  void sendLate(Close message, long due) {
    if (!isEnded()) {
      late.add(new LateClose(due, message));
    }
  }

  /// Notes how far behind a reader is.
  void unread(OriginalStream stream, int bytes) {
    if (bytes > MAX_UNREAD) {
      full.add(stream);
      active.add(stream);
    } else if (bytes <= MAX_UNREAD / 2) {
      full.remove(stream);
    }
  }

  boolean isFull(OriginalStream stream) {
    return full.contains(stream);
  }

  void closed(OriginalStream stream) {
    streams.remove(stream.name());
    active.remove(stream);
    full.remove(stream);
  }
}
