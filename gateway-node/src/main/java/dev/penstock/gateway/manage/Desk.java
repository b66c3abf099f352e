package dev.penstock.gateway.manage;

import dev.penstock.management.api.ApiProblem;
import dev.penstock.management.api.Query;
import dev.penstock.management.api.Table;
import dev.penstock.management.api.Table.Row;
import dev.penstock.management.api.Wire;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What this node answers to the others' [PeerQuestion]s: about itself and nothing else.
final class Desk {
  /// The name of the actor, the same on every node.
  static final String NAME = "management-desk";

  private static final Logger log = LoggerFactory.getLogger(Desk.class);

  private final Map<String, Local> lists = new ConcurrentHashMap<>();
  private final Map<String, Function<String, CompletionStage<Optional<String>>>> actions =
      new ConcurrentHashMap<>();

  /// Rows of this node, made anew for each question.
  record Local(Table table, Supplier<CompletionStage<List<Row>>> rows) {}

  /// Adds a list.
  void list(String name, Local local) {
    lists.put(name, local);
  }

  /// Adds an action.
  ///
  /// @param action given an id; what was done, empty where this node has no such thing
  void action(String name, Function<String, CompletionStage<Optional<String>>> action) {
    actions.put(name, action);
  }

  Behavior<PeerQuestion> behavior() {
    return Behaviors.receiveMessage(question -> {
      CompletionStage<PeerAnswer> answer;
      try {
        answer = answer(question);
      } catch (RuntimeException e) {
        answer = CompletableFuture.failedFuture(e);
      }
      answer.exceptionally(Desk::failed).thenAccept(said -> question.replyTo().tell(said));
      return Behaviors.same();
    });
  }

  private CompletionStage<PeerAnswer> answer(PeerQuestion question) {
    return switch (question.kind()) {
      case "PAGE" -> {
        Local local = local(question.about());
        Query query = Query.of(local.table(), "id", Wire.parameters(question.text()));
        yield local
            .rows()
            .get()
            .thenApply(rows ->
                new PeerAnswer(200, Wire.encode(local.table(), query.select(rows.stream()))));
      }
      case "FIND" -> {
        Local local = local(question.about());
        yield local
            .rows()
            .get()
            .thenApply(rows ->
                rows.stream()
                    .filter(row -> row.id().equals(question.text()))
                    .findFirst()
                    .map(row ->
                        new PeerAnswer(
                            200,
                            Wire.encode(
                                local.table(), new Query.Page(List.of(row), 1, 1, List.of()))))
                    .orElseGet(() -> new PeerAnswer(404, "no such id")));
      }
      case "ACT" -> {
        var action = actions.get(question.about());
        if (action == null) {
          throw new ApiProblem(503, "a node of another release cannot do that");
        }
        yield action
            .apply(question.text())
            .thenApply(done ->
                done.map(text -> new PeerAnswer(200, text))
                    .orElseGet(() -> new PeerAnswer(404, "no such id")));
      }
      default -> throw new ApiProblem(503, "a node of another release cannot tell that");
    };
  }

  private Local local(String name) {
    Local local = lists.get(name);
    if (local == null) {
      throw new ApiProblem(503, "a node of another release cannot tell that");
    }
    return local;
  }

  private static PeerAnswer failed(Throwable failure) {
    Throwable cause = failure;
    while (cause instanceof CompletionException && cause.getCause() != null) {
      cause = cause.getCause();
    }
    if (cause instanceof ApiProblem problem) {
      return new PeerAnswer(problem.status(), problem.detail());
    }
    log.atError().setCause(cause).log("a question of another node failed");
    return new PeerAnswer(500, "failed, the log of the node says why");
  }
}
