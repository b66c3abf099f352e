package dev.penstock.gateway.cluster;

import dev.penstock.gateway.observe.ClusterMeters;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.eventstream.EventStream;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.event.Logging;

/// Actor: counts the nodes that this one did not let join. Pekko tells of what [JoinRules] said in
/// its log only, so this reads along, for words of our own.
final class RefusalWatch {
  private RefusalWatch() {}

  static Behavior<Logging.LogEvent> create(ClusterMeters meters) {
    return Behaviors.setup(context -> {
      context
          .getSystem()
          .eventStream()
          .tell(new EventStream.Subscribe<>(Logging.Warning.class, context.getSelf().narrow()));
      return Behaviors.receiveMessage(event -> {
        if (String.valueOf(event.message()).contains(JoinRules.PREFIX)) {
          meters.joinRefused();
        }
        return Behaviors.same();
      });
    });
  }
}
