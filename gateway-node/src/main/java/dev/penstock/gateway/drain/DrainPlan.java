package dev.penstock.gateway.drain;

import java.time.Duration;
import java.util.List;

/// The order in which a node ends. Pure: told what happened, says what is next; time is an
/// argument, in nanoseconds of a monotonic clock. Not thread-safe.
///
/// ```
/// SERVING --begin--> MOVING --agents moved, pause over--> HANDING_OVER --done--> RUNNING_OUT --> OVER
///                      \--LINK_PATIENCE, pause over--^      \--HAND_OVER_PATIENCE--^    nothing runs,
///                                                                                   or grace over
/// ```
public final class DrainPlan {
  /// How long agents may take to link elsewhere.
  public static final Duration LINK_PATIENCE = Duration.ofSeconds(5);

  /// How long the cluster may take to give this node's part to others.
  static final Duration HAND_OVER_PATIENCE = Duration.ofSeconds(15);

  /// Where the node stands.
  public enum Phase {
    SERVING,
    MOVING,
    HANDING_OVER,
    RUNNING_OUT,
    OVER
  }

  /// What is to be done, in this order.
  public enum Step {
    /// Tell everybody that this node is not ready, refuse new links.
    REFUSE_LINKS,
    /// Ask agents for links elsewhere.
    MOVE_AGENTS,
    /// Take no new clients, end UDP flows on which nothing goes, close links on which nothing runs.
    CLOSE_LISTENERS,
    HAND_OVER,
    /// End the process.
    END
  }

  private final DrainSettings settings;
  private Phase phase = Phase.SERVING;
  private boolean moved;
  private boolean handedOver;
  private long begunAt;
  private long closedAt;

  public DrainPlan(DrainSettings settings) {
    this.settings = settings;
  }

  public Phase phase() {
    return phase;
  }

  /// The node is to end; again is nothing new.
  public List<Step> begin(long now) {
    if (phase != Phase.SERVING) {
      return List.of();
    }
    phase = Phase.MOVING;
    begunAt = now;
    return List.of(Step.REFUSE_LINKS, Step.MOVE_AGENTS);
  }

  /// Every agent that can has a link elsewhere, or there is no elsewhere.
  public void agentsMoved() {
    moved = true;
  }

  /// The cluster does without this node.
  public void handedOver() {
    handedOver = true;
  }

  /// What is next.
  ///
  /// @param running connections and flows that this node carries or has taken
  public List<Step> look(long now, long running) {
    return switch (phase) {
      case SERVING, OVER -> List.of();
      case MOVING -> {
        boolean waited = moved || passed(begunAt, LINK_PATIENCE, now);
        if (!waited || !passed(begunAt, settings.listenerPause(), now)) {
          yield List.of();
        }
        phase = Phase.HANDING_OVER;
        closedAt = now;
        yield List.of(Step.CLOSE_LISTENERS, Step.HAND_OVER);
      }
      case HANDING_OVER -> {
        if (!handedOver && !passed(closedAt, HAND_OVER_PATIENCE, now)) {
          yield List.of();
        }
        phase = Phase.RUNNING_OUT;
        yield look(now, running);
      }
      case RUNNING_OUT -> {
        if (running > 0 && !passed(closedAt, settings.grace(), now)) {
          yield List.of();
        }
        phase = Phase.OVER;
        yield List.of(Step.END);
      }
    };
  }

  private static boolean passed(long since, Duration length, long now) {
    return now - since >= length.toNanos();
  }

  /// Why the node is not ready, for people; empty while it serves.
  public String reason(long running) {
    return switch (phase) {
      case SERVING -> "";
      case MOVING -> "draining: agents are asked to link elsewhere";
      case HANDING_OVER -> "draining: the cluster takes over";
      case RUNNING_OUT -> "draining: " + running + " connections run out";
      case OVER -> "draining: done";
    };
  }
}
