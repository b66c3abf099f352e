package dev.penstock.gateway.leases.sharded;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What is written down of a tenant.
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
@JsonSubTypes({
  @JsonSubTypes.Type(value = TenantEvent.Opened.class, name = "opened"),
  @JsonSubTypes.Type(value = TenantEvent.Changed.class, name = "changed")
})
sealed interface TenantEvent extends Wire {
  /// The entity has started; its requests have higher numbers than those of the one before it.
  record Opened(int incarnation) implements TenantEvent {}

  /// Where tunnels are, and which are nowhere any more. Without either it only proves that who
  /// wrote it owns the tenant.
  record Changed(List<Entry> put, List<String> removed) implements TenantEvent {
    static final Changed CONFIRMED = new Changed(List.of(), List.of());

    public Changed {
      put = List.copyOf(put);
      removed = List.copyOf(removed);
    }
  }

  /// Where a tunnel is: at most in these two blocks.
  ///
  /// @param block that has it, may have it or will be asked for it
  /// @param previous that knows it without a port until `block` has given it one; mostly null
  /// @param characters of its registration
  /// @param releasedAt milliseconds since 1970; 0 as long as it lives
  record Entry(
      String tunnelId, BlockId block, @Nullable BlockId previous, int characters, long releasedAt) {
    boolean isLive() {
      return releasedAt == 0;
    }
  }
}
