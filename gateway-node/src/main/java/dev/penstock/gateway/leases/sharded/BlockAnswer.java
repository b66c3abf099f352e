package dev.penstock.gateway.leases.sharded;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.penstock.gateway.leases.LeaseResult;
import dev.penstock.gateway.leases.TunnelRecord.Origin;
import org.jspecify.annotations.Nullable;

/// What a block says to one wish.
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
@JsonSubTypes({
  @JsonSubTypes.Type(value = BlockAnswer.Granted.class, name = "granted"),
  @JsonSubTypes.Type(value = BlockAnswer.Conflict.class, name = "conflict"),
  @JsonSubTypes.Type(value = BlockAnswer.NotHere.class, name = "not-here")
})
sealed interface BlockAnswer {
  /// Whether the block knows the tunnel without a port, as it did before the wish.
  enum Known {
    YES,
    NO
  }

  /// The tunnel is known as it was asked for.
  ///
  /// @param port null when it has none
  /// @param origin of the tunnel from now on
  /// @param revision of the tunnel from now on
  /// @param change how it differs from before
  /// @param fresh null unless it had no port before
  record Granted(
      @Nullable Integer port,
      long fencing,
      Origin origin,
      long revision,
      LeaseResult.Change change,
      @Nullable Fresh fresh)
      implements BlockAnswer {}

  /// That the tunnel had no port before.
  ///
  /// @param before what it was; null when it was not known
  record Fresh(BlockEvent.@Nullable Held before) {}

  /// The block has the port, and somebody else has it there.
  record Conflict(String text, Known known) implements BlockAnswer {}

  /// The block has no such port to give, another may.
  record NotHere(Known known) implements BlockAnswer {}
}
