package dev.penstock.gateway.leases.sharded;

import dev.penstock.gateway.leases.LeaseMeters;
import dev.penstock.gateway.leases.LeasePolicy;
import java.time.Duration;
import java.time.InstantSource;
import org.apache.pekko.actor.typed.BackoffSupervisorStrategy;
import org.apache.pekko.actor.typed.SupervisorStrategy;

/// What all entities decide by.
///
/// @param retention how long a released port is kept for its tunnel
/// @param clock tells what time it is, for the retention only
/// @param meters of the node that the entities are at
record Rules(LeasePolicy policy, Duration retention, InstantSource clock, LeaseMeters meters) {
  /// What an entity does when the store is away: it forgets what it knows and reads it again.
  static final BackoffSupervisorStrategy BACKOFF =
      SupervisorStrategy.restartWithBackoff(Duration.ofMillis(200), Duration.ofSeconds(3), 0.2);
}
