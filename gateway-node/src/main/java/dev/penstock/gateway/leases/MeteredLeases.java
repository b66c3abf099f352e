package dev.penstock.gateway.leases;

import dev.penstock.gateway.leases.LeaseMeters.Outcome;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Another authority, with what it answers counted.
///
/// @param authority that decides
public record MeteredLeases(LeaseAuthority authority, LeaseMeters meters)
    implements LeaseAuthority {
  @Override
  public CompletionStage<List<Answer>> leaseAll(List<LeaseRequest> requests) {
    if (requests.isEmpty()) {
      return authority.leaseAll(requests);
    }
    return timed(
        () -> authority.leaseAll(requests),
        answers -> {
          answers.forEach(answer -> meters.requested(outcome(answer)));
          return answers.stream().anyMatch(Answer.Unavailable.class::isInstance);
        });
  }

  private static Outcome outcome(Answer answer) {
    return switch (answer) {
      case Answer.Unavailable _ -> Outcome.UNAVAILABLE;
      case Answer.Decided(var result, var fresh, _) ->
          switch (result) {
            case LeaseResult.Granted(_, var change) ->
                fresh != null || change == LeaseResult.Change.NEW ? Outcome.GRANTED : Outcome.KEPT;
            case LeaseResult.Conflict _ -> Outcome.CONFLICT;
            case LeaseResult.Exhausted _ -> Outcome.EXHAUSTED;
            case LeaseResult.OverQuota _ -> Outcome.OVER_QUOTA;
          };
    };
  }

  @Override
  public CompletionStage<Release> releaseAll(Collection<TunnelIdentity> identities) {
    return released(() -> authority.releaseAll(identities));
  }

  @Override
  public CompletionStage<Release> releaseUnnamed(
      Collection<TunnelIdentity> identities, Duration grace) {
    return released(() -> authority.releaseUnnamed(identities, grace));
  }

  @Override
  public CompletionStage<Release> refusedBySystem(
      TunnelRecord granted, @Nullable TunnelRecord before) {
    return released(() -> authority.refusedBySystem(granted, before));
  }

  private CompletionStage<Release> released(Supplier<CompletionStage<Release>> release) {
    return timed(release, Release.Unavailable.class::isInstance);
  }

  /// @param isAway whether the store was
  private <T> CompletionStage<T> timed(Supplier<CompletionStage<T>> call, Predicate<T> isAway) {
    // Before the call, which may block.
    long began = System.nanoTime();
    return call.get()
        .thenApply(answer -> {
          if (isAway.test(answer)) {
            meters.storeUnavailable();
          } else {
            meters.stored(Duration.ofNanos(System.nanoTime() - began));
          }
          return answer;
        });
  }

  @Override
  public CompletionStage<Reserving> reserve(Reservation reservation) {
    return timed(() -> authority.reserve(reservation), Reserving.Unavailable.class::isInstance);
  }

  @Override
  public CompletionStage<Reserving> unreserve(Transport transport, int port) {
    return timed(
        () -> authority.unreserve(transport, port), Reserving.Unavailable.class::isInstance);
  }

  @Override
  public CompletionStage<Reserving> reservations() {
    return authority.reservations();
  }

  @Override
  public void follow(Consumer<List<TableChange>> follower) {
    authority.follow(follower);
  }
}
