package dev.penstock.management.api;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.stream.SystemMaterializer;
import org.apache.pekko.stream.javadsl.Sink;

/// Bodies of requests that nobody wants to read.
public final class Bodies {
  private Bodies() {}

  /// Reads a body to its end and forgets it, so that the connection can be used for the next
  /// request; closes the connection when that is not done within `time`. Returns at once.
  ///
  /// @return completes at the end of the body; fails when that did not come
  public static CompletionStage<Done> drop(
      HttpRequest request, Duration time, ActorSystem<?> system) {
    if (request.entity().isStrict()) {
      return CompletableFuture.completedFuture(Done.done());
    }
    return request
        .entity()
        .getDataBytes()
        .completionTimeout(time)
        .runWith(Sink.ignore(), SystemMaterializer.get(system).materializer());
  }
}
