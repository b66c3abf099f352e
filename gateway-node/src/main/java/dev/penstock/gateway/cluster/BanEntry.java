package dev.penstock.gateway.cluster;

import dev.penstock.access.Cidr;
import dev.penstock.gateway.sources.Bans.Ban;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// What a node tells of one ban.
record BanEntry(
    @Nullable String source,
    @Nullable String reason,
    @Nullable String by,
    long createdAt,
    long expiresAt)
    implements ClusterMessage {
  static BanEntry of(Ban ban) {
    return new BanEntry(
        ban.source().toString(), ban.reason(), ban.by(), ban.createdAt(), ban.expiresAt());
  }

  /// Empty when it cannot be used.
  Optional<Ban> ban() {
    return source == null
        ? Optional.empty()
        : Cidr.parse(source)
            .map(block ->
                new Ban(
                    block,
                    reason == null ? "" : reason,
                    by == null ? "" : by,
                    createdAt,
                    expiresAt));
  }
}
