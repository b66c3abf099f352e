package dev.penstock.agent.serve;

import dev.penstock.agent.observe.AgentMeters;
import dev.penstock.agent.observe.Live;
import dev.penstock.config.HostPort;
import dev.penstock.live.LiveLink;
import dev.penstock.live.LiveStream;
import dev.penstock.observe.AccessLog;
import dev.penstock.observe.Passage;
import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.link.StreamEnd;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What others are told of a stream that the gateway opened: operators who ask what is open, and
/// the access log. Belongs to its actor.
final class Telling {
  private final AgentMeters meters;
  private final LinkStream stream;
  private final StreamHeader header;
  private final Passage.Kind kind;
  private final long startedAt;
  private @Nullable LiveStream live;

  /// Where the stream leads, as far as that is known.
  ///
  /// @param tries endpoints that were dialled; null where there is only one to try
  record Way(@Nullable String service, @Nullable HostPort target, @Nullable Integer tries) {}

  /// @param kind `CONNECTION` or `FLOW`
  /// @param startedAt nanoseconds of the monotonic clock
  Telling(
      AgentMeters meters,
      LinkStream stream,
      StreamHeader header,
      Passage.Kind kind,
      long startedAt) {
    this.meters = meters;
    this.stream = stream;
    this.header = header;
    this.kind = kind;
    this.startedAt = startedAt;
  }

  /// Shows it among what is open, until [#hide].
  ///
  /// @param close what an operator may do to it
  LiveStream show(Runnable close) {
    Live all = meters.live();
    CallerAddress caller = header.caller();
    var facts =
        new LiveStream.Facts(
            caller == null ? null : HostPort.show(caller.client()),
            all.of(stream.link()).map(LiveLink::id).orElse(null),
            null);
    LiveStream shown =
        kind == Passage.Kind.FLOW
            ? all.streams().sessionOpened("", header.tunnelId(), facts, close)
            : all.streams().streamOpened("", header.tunnelId(), facts, close);
    live = shown;
    return shown;
  }

  /// Again, or before it was shown, is no error.
  void hide() {
    if (live == null) {
      return;
    }
    if (kind == Passage.Kind.FLOW) {
      meters.live().streams().sessionEnded(live);
    } else {
      meters.live().streams().streamEnded(live);
    }
  }

  /// It was carried, and is over.
  ///
  /// @param dialledAt when the service was reached, 0 for never
  /// @param firstByteAt when the service first said something, 0 for never
  void ended(Way way, StreamEnd end, StreamEnd.Cause cause, long dialledAt, long firstByteAt) {
    AccessLog access = meters.access();
    if (access.isOn()) {
      access.write(
          passage(kind, way)
              .with("bytesToService", end.fromPeer())
              .with("bytesToClient", end.toPeer())
              .with("cause", cause)
              .step(Passage.Step.DIAL, startedAt, dialledAt)
              .step(Passage.Step.FIRST_BYTE, startedAt, firstByteAt));
    }
  }

  /// Its service could not be reached; hides it.
  void refused(Way way, DialStatus status) {
    hide();
    if (live != null) {
      Live all = meters.live();
      all.streams().refused("", header.tunnelId());
      all.events()
          .addPaced(
              "dial_failed",
              status.code().label(),
              Map.of("tunnel", header.tunnelId(), "detail", status.text()));
    }
    AccessLog access = meters.access();
    if (access.isOn()) {
      access.write(
          passage(Passage.Kind.REFUSED, way)
              .with("cause", status.code().label())
              .with("detail", status.text()));
    }
  }

  private Passage passage(Passage.Kind what, Way way) {
    return new Passage(what, startedAt)
        .traced(meters.access().within(header.trace()), header.trace())
        .with("clientAddress", header.caller() == null ? null : header.caller().client())
        .with("tunnel", header.tunnelId())
        .with("service", way.service())
        .with("target", way.target())
        .with("tries", way.tries())
        .with("link", stream.link().number())
        .with("stream", stream.number());
  }
}
