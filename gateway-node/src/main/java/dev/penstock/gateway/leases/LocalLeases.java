package dev.penstock.gateway.leases;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The leases of a gateway of one node, in a store of its own. One owner: a call blocks for as long
/// as the disk takes, and its stage is complete when it returns. Follows nobody, because nobody
/// else makes changes.
public final class LocalLeases implements LeaseAuthority {
  private static final Logger log = LoggerFactory.getLogger(LocalLeases.class);
  private static final Away NOT_WRITTEN =
      new Away(
          "the registration could not be written down; try again later", Duration.ofSeconds(5));

  private final Leases leases;
  private final LeaseMeters meters;
  private long revision;

  public LocalLeases(Leases leases, LeaseMeters meters) {
    this.leases = leases;
    this.meters = meters;
    retains();
  }

  @Override
  public CompletionStage<List<Answer>> leaseAll(List<LeaseRequest> requests) {
    var before = new ArrayList<@Nullable TunnelRecord>();
    for (LeaseRequest request : requests) {
      before.add(leases.of(request.identity()).orElse(null));
      if (request.wish() instanceof PortWish.Exactly(int port)) {
        leases.markBindable(request.transport(), port);
      }
    }
    var answers = new ArrayList<Answer>(requests.size());
    try {
      List<LeaseResult> results = leases.leaseAll(requests);
      for (int i = 0; i < results.size(); i++) {
        TunnelRecord was = before.get(i);
        var fresh = was == null || was.lease() == null ? new Fresh(was) : null;
        answers.add(new Answer.Decided(results.get(i), fresh, ++revision));
      }
    } catch (IOException e) {
      notWritten(e);
      requests.forEach(_ -> answers.add(new Answer.Unavailable(NOT_WRITTEN)));
    }
    retains();
    return CompletableFuture.completedFuture(answers);
  }

  @Override
  public CompletionStage<Release> releaseAll(Collection<TunnelIdentity> identities) {
    return written(identities, () -> leases.releaseAll(identities));
  }

  /// All of them: this node is the only one that syncs name tunnels to, and its owner knows when.
  @Override
  public CompletionStage<Release> releaseUnnamed(
      Collection<TunnelIdentity> identities, Duration grace) {
    return releaseAll(identities);
  }

  @Override
  public CompletionStage<Release> refusedBySystem(
      TunnelRecord granted, @Nullable TunnelRecord before) {
    return written(List.of(granted.identity()), () -> leases.refusedBySystem(granted, before));
  }

  @Override
  public void follow(Consumer<List<TableChange>> follower) {
    var changes = new ArrayList<TableChange>();
    leases.tunnels().forEach(tunnel -> changes.add(new TableChange.Held(tunnel, ++revision)));
    changes.add(new TableChange.Complete());
    follower.accept(changes);
  }

  /// There is nobody else.
  @Override
  public CompletionStage<Void> handOver() {
    return CompletableFuture.completedFuture(null);
  }

  private interface Write {
    void run() throws IOException;
  }

  private CompletionStage<Release> written(Collection<TunnelIdentity> identities, Write write) {
    Release release;
    try {
      write.run();
      long now = ++revision;
      Map<TunnelIdentity, Long> revisions = new HashMap<>();
      identities.forEach(identity -> revisions.put(identity, now));
      release = new Release.Done(revisions);
    } catch (IOException e) {
      notWritten(e);
      release = new Release.Unavailable(NOT_WRITTEN);
    }
    retains();
    return CompletableFuture.completedFuture(release);
  }

  private void retains() {
    meters.retained("here", leases.keptPorts());
  }

  @Override
  public CompletionStage<Reserving> reserve(Reservation reservation) {
    try {
      var obstacle = leases.reserve(reservation);
      return CompletableFuture.completedFuture(
          obstacle.isPresent()
              ? new Reserving.Conflict(obstacle.get())
              : new Reserving.Done(List.of(reservation)));
    } catch (IOException e) {
      return notReserved(e);
    }
  }

  @Override
  public CompletionStage<Reserving> unreserve(Transport transport, int port) {
    try {
      leases.unreserve(transport, port);
      return CompletableFuture.completedFuture(new Reserving.Done(List.of()));
    } catch (IOException e) {
      return notReserved(e);
    }
  }

  @Override
  public CompletionStage<Reserving> reservations() {
    return CompletableFuture.completedFuture(new Reserving.Done(leases.reservations()));
  }

  private static CompletionStage<Reserving> notReserved(IOException why) {
    notWritten(why);
    return CompletableFuture.completedFuture(new Reserving.Unavailable(NOT_WRITTEN));
  }

  private static void notWritten(IOException why) {
    log.atError()
        .addKeyValue("cause", why.getMessage())
        .log("a registration could not be written down");
  }
}
