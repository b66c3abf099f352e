package dev.penstock.gateway.leases.sharded;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.penstock.gateway.leases.Lease;
import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.leases.TunnelRecord;
import dev.penstock.gateway.leases.TunnelRecord.Origin;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What one request of a tenant changed in a block, written down as a whole. Without lines it says
/// that the request was answered, and proves that who wrote it owns the block.
///
/// @param attempt the tenant's number of the request
/// @param reservations changed by an operator; then nothing else is
record BlockEvent(
    String cluster,
    long attempt,
    List<Line> lines,
    @JsonInclude(JsonInclude.Include.NON_EMPTY) List<Reserved> reservations)
    implements Wire {
  BlockEvent(
      String cluster, long attempt, List<Line> lines, @Nullable List<Reserved> reservations) {
    this.cluster = cluster;
    this.attempt = attempt;
    this.lines = List.copyOf(lines);
    // Events of before have none.
    this.reservations = reservations == null ? List.of() : List.copyOf(reservations);
  }

  static BlockEvent of(String cluster, long attempt, List<Line> lines) {
    return new BlockEvent(cluster, attempt, lines, List.of());
  }

  static BlockEvent reserved(Reserved reservation) {
    return new BlockEvent("", 0, List.of(), List.of(reservation));
  }

  /// Who alone is given a port from now on.
  ///
  /// @param cluster null for all who may have it
  record Reserved(int port, @Nullable String cluster) {}

  /// The change of one tunnel.
  @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
  @JsonSubTypes({
    @JsonSubTypes.Type(value = Held.class, name = "held"),
    @JsonSubTypes.Type(value = Released.class, name = "released"),
    @JsonSubTypes.Type(value = Dropped.class, name = "dropped")
  })
  sealed interface Line {
    String cluster();

    String tunnelId();

    /// The tenant's number of the request that made the change.
    long revision();

    default TunnelIdentity identity() {
      return new TunnelIdentity(cluster(), tunnelId());
    }
  }

  /// The tunnel is this.
  ///
  /// @param port null when it has none
  record Held(
      String cluster,
      String tunnelId,
      @Nullable Integer port,
      long fencing,
      Origin origin,
      String registration,
      long revision)
      implements Line {
    static Held of(TunnelRecord tunnel, long revision) {
      Lease lease = tunnel.lease();
      return new Held(
          tunnel.identity().cluster(),
          tunnel.identity().tunnelId(),
          lease == null ? null : lease.port(),
          lease == null ? 0 : lease.fencing(),
          tunnel.origin(),
          tunnel.registration(),
          revision);
    }

    TunnelRecord tunnel(Transport transport) {
      return new TunnelRecord(
          identity(),
          transport,
          port == null ? null : new Lease(port, fencing),
          origin,
          registration);
    }
  }

  /// The tunnel has ended; its port is kept for it.
  ///
  /// @param at milliseconds since 1970
  record Released(String cluster, String tunnelId, long at, long revision) implements Line {}

  /// The tunnel has ended and its port is free.
  record Dropped(String cluster, String tunnelId, long revision) implements Line {}
}
