package dev.penstock.protocol.link;

import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.json.OriginalPacing;
import dev.penstock.protocol.net.Loop;
import dev.penstock.protocol.yamux.Role;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// The handle of one running link. Methods are safe for use by any thread unless they say
/// otherwise.
public final class Link {
  private static final AtomicLong MADE = new AtomicLong();

  private final long number = MADE.incrementAndGet();
  private final Loop loop;
  private final LinkStage.Multiplexer stage;

  Link(Loop loop, LinkStage.Multiplexer stage) {
    this.loop = loop;
    this.stage = stage;
  }

  /// How it is called in this process: 1 for its first link.
  public long number() {
    return number;
  }

  /// Where the link, its streams and their sockets live.
  public Loop loop() {
    return loop;
  }

  /// Sends a control message. A peer that leaves [LinkStage#MAX_WAITING_MESSAGES] of them unread
  /// loses the link.
  public void send(ControlMessage message) {
    loop.run(() -> stage.send(message));
  }

  /// Sends `hello` as the gateway; when the agent's acknowledgement names what both can, the
  /// session starts before anything behind it is looked at: yamux where both use it, else JSON
  /// messages where both named [Capability#CREDITS]. Once.
  public void offer(ControlMessage.GatewayHello hello) {
    loop.run(() -> stage.offer(hello));
  }

  /// Sends `ack` as the agent, the answer to the gateway's hello, and starts the session that both
  /// can, as [#offer] does at the other end. Once.
  public void accept(ControlMessage.GatewayHelloAck ack) {
    loop.run(() -> stage.accept(ack));
  }

  /// Starts yamux at once, on a carrier whose ends agreed on that before. Must be called on the
  /// loop, right after the graph was started. Once.
  ///
  /// @param role the client is the end that opens streams, with headers of
  ///   [StreamHeaderDecoder.Sender#NODE]
  public void startBetweenNodes(Role role) {
    stage.startBetweenNodes(role);
  }

  /// Lets answers to pings take at least so long before the link is given up.
  public void tolerateSilence(Duration silence) {
    loop.run(() -> stage.tolerateSilence(silence));
  }

  /// Pings the peer now, to learn soon whether it is still there.
  public void probe() {
    loop.run(stage::probe);
  }

  /// Ends a link whose peer's session is known to be dead; streams on it are cut.
  public void giveUp(String why) {
    loop.run(() -> stage.giveUp(why));
  }

  /// Carries streams in the original's JSON messages, as the gateway on the controller socket of an
  /// agent that stays there and has tunnels enabled. Once.
  ///
  /// @param prefix of this link's stream names, unlike that of any other link
  public void carryToOriginal(String prefix, OriginalPacing pacing) {
    loop.run(() -> stage.carryToOriginal(prefix, pacing));
  }

  /// Opens a stream and sends its header. On the loop only.
  ///
  /// @return null when the link takes no more streams: it ended, has no session, or its limits are
  ///   reached
  public @Nullable LinkStream open(StreamHeader header) {
    return open(header, header.servicePort());
  }

  /// As [#open(StreamHeader)], to an agent that may be an original in JSON.
  ///
  /// @param listenerPort the port of its own host that such an agent dials instead of the service
  public @Nullable LinkStream open(StreamHeader header, int listenerPort) {
    return stage.open(header, listenerPort);
  }

  /// Closes the link with the closing handshake; streams on it are cut.
  public void close(int code, String reason) {
    loop.run(() -> stage.close(code, reason));
  }

  /// Smoothed round-trip time in nanoseconds; 0 when not measured yet. On the loop only.
  public long rttNanos() {
    return stage.rttNanos();
  }

  void wake() {
    stage.wake();
  }

  void wakeIfOutput() {
    stage.wakeIfOutput();
  }
}
