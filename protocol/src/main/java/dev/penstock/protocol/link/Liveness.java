package dev.penstock.protocol.link;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// Whether the peer of a link's session lives, and what to send to find out: one rule for pings and
/// canary streams. Pure: asked about once a second, with the time as an argument in nanoseconds of
/// a monotonic clock. Not thread-safe.
///
/// A ping shows that the peer's session runs, a canary stream that its streams are served. Where
/// canaries were agreed, the gateway opens one every [#CANARY_INTERVAL]; a link on which one is not
/// answered is given up within 10 s, and so is, by the agent, one on which none comes. Elsewhere
/// pings decide, with the patience that the settings give.
final class Liveness {
  /// Between an answer and the next canary.
  static final Duration CANARY_INTERVAL = Duration.ofSeconds(3);

  /// How long a canary may go unanswered.
  static final Duration CANARY_PATIENCE = Duration.ofSeconds(5);

  /// How long a gateway that sends canaries may say nothing at all.
  static final Duration GATEWAY_PATIENCE = Duration.ofSeconds(8);

  /// An unanswered ping or canary of this age, and no other byte of the session since, means that
  /// the peer is [LinkListener#silent]. On a slow way the answer waits behind data.
  static final Duration USUAL_ANSWER = Duration.ofSeconds(3);

  /// A canary of this age has a ping sent after it: when that is answered, the way is not to blame.
  private static final Duration SECOND_LOOK = Duration.ofSeconds(2);

  /// A gap of this length between two looks is our own: the process was stopped or starved, and
  /// what the peer said meanwhile may not have been read yet.
  private static final Duration OWN_PAUSE = Duration.ofSeconds(2);

  /// Looks come about once a second: half of that is as good as there.
  private static final Duration SLACK = Duration.ofMillis(500);

  /// What shows that the peer lives.
  enum Proof {
    PINGS,
    /// This end opens canaries.
    CANARIES,
    /// The peer opens canaries.
    CANARIES_OF_PEER
  }

  /// What to send now.
  enum Send {
    NOTHING,
    PING,
    CANARY,
    PING_AND_CANARY;

    boolean ping() {
      return this == PING || this == PING_AND_CANARY;
    }

    boolean canary() {
      return this == CANARY || this == PING_AND_CANARY;
    }

    private static Send of(boolean ping, boolean canary) {
      return ping ? (canary ? PING_AND_CANARY : PING) : canary ? CANARY : NOTHING;
    }
  }

  /// What the peer is found to be.
  sealed interface Verdict {
    record Speaks(Send send) implements Verdict {}

    /// It owes an answer for longer than is usual.
    record Silent(Send send) implements Verdict {}

    record Dead(LinkEnd end) implements Verdict {}
  }

  /// What the owner sees of the session.
  ///
  /// @param pingSent when the ping that is not answered yet was sent; null when none is
  /// @param heardAt when the last byte of the session came
  /// @param traffic whether streams were busy since the last look
  /// @param reading whether an answer could be read
  record Look(@Nullable Long pingSent, long heardAt, Traffic traffic, Reading reading) {}

  /// Whether streams are busy.
  enum Traffic {
    BUSY,
    IDLE
  }

  /// Whether what the peer sends is read.
  enum Reading {
    READS,
    HELD
  }

  private final Duration pingInterval;
  private Duration pingPatience;
  private Proof proof = Proof.PINGS;
  private long lastPing;
  private long lastCanary;
  private @Nullable Long canarySent;
  private long lastLook;
  private long excusedUntil;

  /// @param pingInterval between two pings of an idle session
  /// @param pingPatience how long the answer to a ping may take
  /// @param now when the session starts
  Liveness(Duration pingInterval, Duration pingPatience, long now) {
    this.pingInterval = pingInterval;
    this.pingPatience = pingPatience;
    this.lastPing = now;
    this.lastLook = now;
    this.lastCanary = now - CANARY_INTERVAL.toNanos();
    this.excusedUntil = now;
  }

  /// What both ends agreed on; the first canary is due at once.
  void agreed(Proof what) {
    proof = what;
  }

  /// Answers to pings may take so long at least.
  void tolerate(Duration patience) {
    if (patience.compareTo(pingPatience) > 0) {
      pingPatience = patience;
    }
  }

  void pinged(long now) {
    lastPing = now;
  }

  void canarySent(long now) {
    lastCanary = now;
    canarySent = now;
  }

  /// The canary was answered, or was refused for want of room, which says nothing.
  void canaryOver(long now) {
    lastCanary = now;
    canarySent = null;
  }

  Verdict look(long now, Look look) {
    if (now - lastLook > OWN_PAUSE.toNanos()) {
      excusedUntil = now + OWN_PAUSE.toNanos();
    }
    lastLook = now;
    LinkEnd end = look.reading() == Reading.HELD || now - excusedUntil < 0 ? null : end(now, look);
    if (end != null) {
      return new Verdict.Dead(end);
    }
    Send send = Send.of(pingIsDue(now, look), canaryIsDue(now));
    long owed = Math.max(ageOf(look.pingSent(), now), ageOf(canarySent, now));
    return Math.min(owed, now - look.heardAt()) > USUAL_ANSWER.toNanos()
        ? new Verdict.Silent(send)
        : new Verdict.Speaks(send);
  }

  private @Nullable LinkEnd end(long now, Look look) {
    if (ageOf(look.pingSent(), now) > pingPatience.toNanos()) {
      return new LinkEnd(LinkEnd.Cause.KEEPALIVE_TIMEOUT, "no answer to a ping");
    }
    long quiet = now - look.heardAt() + SLACK.toNanos();
    if (proof == Proof.CANARIES_OF_PEER && quiet >= GATEWAY_PATIENCE.toNanos()) {
      return new LinkEnd(
          LinkEnd.Cause.CANARY_TIMEOUT,
          "nothing came from the gateway within " + GATEWAY_PATIENCE.toSeconds() + " s");
    }
    boolean late = ageOf(canarySent, now) + SLACK.toNanos() >= CANARY_PATIENCE.toNanos();
    if (late && quiet >= CANARY_PATIENCE.toNanos()) {
      return new LinkEnd(
          LinkEnd.Cause.CANARY_TIMEOUT,
          "no answer to a canary stream within " + CANARY_PATIENCE.toSeconds() + " s");
    }
    if (late && isAnsweredSinceCanary(look)) {
      return new LinkEnd(
          LinkEnd.Cause.CANARY_TIMEOUT,
          "the agent answers pings, but no canary stream within "
              + CANARY_PATIENCE.toSeconds()
              + " s");
    }
    return null;
  }

  private boolean isAnsweredSinceCanary(Look look) {
    return canarySent != null && lastPing - canarySent > 0 && look.pingSent() == null;
  }

  private boolean pingIsDue(long now, Look look) {
    if (look.pingSent() != null) {
      return false;
    }
    boolean secondLook =
        canarySent != null
            && lastPing - canarySent <= 0
            && now - canarySent + SLACK.toNanos() >= SECOND_LOOK.toNanos();
    return secondLook || look.traffic() == Traffic.BUSY || now - lastPing >= pingInterval.toNanos();
  }

  private boolean canaryIsDue(long now) {
    return proof == Proof.CANARIES
        && canarySent == null
        && now - lastCanary + SLACK.toNanos() >= CANARY_INTERVAL.toNanos();
  }

  private static long ageOf(@Nullable Long sent, long now) {
    return sent == null ? 0 : now - sent;
  }
}
