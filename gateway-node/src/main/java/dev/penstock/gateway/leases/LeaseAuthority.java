package dev.penstock.gateway.leases;

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Who decides which tunnel has which public port, for one node or for all nodes of a cluster. What
/// it acknowledges lasts. Any thread; nothing blocks unless the implementation says so. Stages
/// never fail for what the world does: that the store is away is an answer.
public interface LeaseAuthority {
  /// Makes tunnels of one tenant known and gives them the ports they want, each by itself; see
  /// [LeaseBook#lease]. A port that is asked for by number is asked of the system anew, even when
  /// it could not be bound before.
  ///
  /// @param requests no two of one identity, all of the same tenant
  /// @return the answers, in the order of the requests
  CompletionStage<List<Answer>> leaseAll(List<LeaseRequest> requests);

  /// Ends tunnels of one tenant; unknown ones are passed over.
  CompletionStage<Release> releaseAll(Collection<TunnelIdentity> identities);

  /// As [#releaseAll], for tunnels that syncs no longer name: those that a sync has named within
  /// the grace, through whatever node, are passed over.
  CompletionStage<Release> releaseUnnamed(Collection<TunnelIdentity> identities, Duration grace);

  /// For a port just granted that the system refuses to bind: takes the grant back and keeps the
  /// port from being granted unless it is asked for by number, so that the tunnel's next request is
  /// given another.
  ///
  /// @param before what the tunnel was before the grant; null when it was not known
  CompletionStage<Release> refusedBySystem(TunnelRecord granted, @Nullable TunnelRecord before);

  /// Has only this tenant be given a port from now on, at every node; the same again is done again.
  /// The port is given to it like any that it may have, whatever its own ranges are.
  CompletionStage<Reserving> reserve(Reservation reservation);

  /// Ends the reservation of a port, if there is one.
  CompletionStage<Reserving> unreserve(Transport transport, int port);

  /// All reservations, in no order, without those of the settings.
  CompletionStage<Reserving> reservations();

  /// Tells the follower all tunnels, then that this was all, then every change that others make;
  /// those that this node asks for may be told, too. The follower must be quick; it is called from
  /// any thread, but never twice at a time. Once.
  void follow(Consumer<List<TableChange>> follower);

  /// Completes when this node, which is about to leave, no longer decides for others, or nobody can
  /// take its part, or they take too long. It may go on asking. Once.
  CompletionStage<Void> handOver();

  /// What became of a [LeaseRequest].
  sealed interface Answer {
    /// The rules' answer, written down.
    ///
    /// @param fresh null unless the tunnel had no port before
    /// @param revision of the tunnel, see [TableChange.Held]; of no meaning when nothing was
    ///   granted
    record Decided(LeaseResult result, @Nullable Fresh fresh, long revision) implements Answer {}

    /// It is not known whether anything came of it; the same request may be made again.
    record Unavailable(Away away) implements Answer {}
  }

  /// That a tunnel was given its first port.
  ///
  /// @param before what the tunnel was before; null when it was not known
  record Fresh(@Nullable TunnelRecord before) {}

  /// What became of a release.
  sealed interface Release {
    /// Written down.
    ///
    /// @param revisions of the tunnels that ended or went back to what they were, see
    ///   [TableChange.Released]
    record Done(Map<TunnelIdentity, Long> revisions) implements Release {
      public Done {
        revisions = Map.copyOf(revisions);
      }
    }

    /// It is not known whether anything came of it; the same release may be asked for again.
    record Unavailable(Away away) implements Release {}
  }

  /// What keeps leases from being written down.
  ///
  /// @param text for the one who asked
  /// @param retryAfter when it makes sense to ask again
  record Away(String text, Duration retryAfter) {}
}
