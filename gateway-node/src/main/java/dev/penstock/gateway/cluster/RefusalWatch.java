package dev.penstock.gateway.cluster;

import dev.penstock.gateway.observe.ClusterMeters;
import dev.penstock.gateway.observe.ClusterRefusal;
import java.util.Locale;
import java.util.Optional;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.eventstream.EventStream;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.event.Logging;

/// Actor: counts what the cluster's port refused. Pekko tells of that in its log only, so this
/// reads along; the tests hold it to the words.
final class RefusalWatch {
  private RefusalWatch() {}

  static Behavior<Logging.LogEvent> create(ClusterMeters meters) {
    return Behaviors.setup(context -> {
      var events = context.getSystem().eventStream();
      events.tell(new EventStream.Subscribe<>(Logging.Warning.class, context.getSelf().narrow()));
      events.tell(new EventStream.Subscribe<>(Logging.Error.class, context.getSelf().narrow()));
      return Behaviors.receiveMessage(event -> {
        refusal(event.logSource(), String.valueOf(event.message())).ifPresent(meters::refused);
        return Behaviors.same();
      });
    });
  }

  /// What a line of Pekko's log says was refused.
  static Optional<ClusterRefusal> refusal(String source, String message) {
    if (message.contains(JoinRules.PREFIX)) {
      return Optional.of(ClusterRefusal.NOT_OF_THIS_CLUSTER);
    }
    String text = message.toLowerCase(Locale.ROOT);
    if (!source.toLowerCase(Locale.ROOT).contains("artery")) {
      return Optional.empty();
    }
    if (text.contains("magic")) {
      return Optional.of(ClusterRefusal.FOREIGN_BYTES);
    }
    if (text.contains("ssl") || text.contains("tls") || text.contains("certificate")) {
      return Optional.of(ClusterRefusal.TLS);
    }
    return Optional.empty();
  }
}
