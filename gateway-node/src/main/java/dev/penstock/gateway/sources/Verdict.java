package dev.penstock.gateway.sources;

import dev.penstock.gateway.observe.ClientRefusal;
import org.jspecify.annotations.Nullable;

/// What a [SourceGuard] says of one new connection or flow.
public enum Verdict {
  /// It may go on, and is [SourceGuard#released] when it is over.
  ADMITTED(null),
  /// Its address is in a `deny` list.
  DENIED(ClientRefusal.SOURCE_DENIED),
  /// Its address is in no block of an `allow` list.
  NOT_ALLOWED(ClientRefusal.SOURCE_NOT_ALLOWED),
  /// Its source has as many as it may have at a time.
  TOO_MANY(ClientRefusal.SOURCE_TOO_MANY),
  /// Its source opens them faster than it may.
  TOO_FAST(ClientRefusal.SOURCE_TOO_FAST),
  /// The tunnel has as many as it may have at a time, of all sources.
  TUNNEL_FULL(ClientRefusal.TUNNEL_FULL);

  private final @Nullable ClientRefusal refusal;

  Verdict(@Nullable ClientRefusal refusal) {
    this.refusal = refusal;
  }

  /// How it is counted; null when admitted.
  public @Nullable ClientRefusal refusal() {
    return refusal;
  }
}
