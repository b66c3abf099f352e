package dev.penstock.gateway.manage;

import dev.penstock.gateway.manage.Desk.Local;
import dev.penstock.management.api.ApiProblem;
import dev.penstock.management.api.Listing;
import dev.penstock.management.api.Query;
import dev.penstock.management.api.Query.Page;
import dev.penstock.management.api.Table.Row;
import dev.penstock.management.api.Wire;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/// Rows of which each node has its own: each is asked for the page, and the pages are merged.
record ClusterListing(String name, Local local, Peers peers) implements Listing {
  @Override
  public CompletionStage<Page> page(Query query) {
    var answers = peers.ask(PeerQuestion.Kind.PAGE, name, Wire.encode(query.parameters()));
    return local
        .rows()
        .get()
        .thenCombine(
            answers,
            (rows, others) -> {
              var pages = new ArrayList<Page>();
              var unanswered = new ArrayList<>(others.unanswered());
              pages.add(query.select(rows.stream()));
              others
                  .answers()
                  .forEach((node, answer) -> {
                    try {
                      if (answer.status() == 200) {
                        pages.add(Wire.page(local.table(), answer.text()));
                        return;
                      }
                    } catch (ApiProblem _) {
                      // As if it had said nothing.
                    }
                    unanswered.add(node);
                  });
              pages.add(new Page(List.of(), 0, 0, unanswered));
              return query.merge(pages);
            });
  }

  @Override
  public CompletionStage<Optional<Row>> find(String id) {
    return local
        .rows()
        .get()
        .thenCompose(rows -> {
          var own = rows.stream().filter(row -> row.id().equals(id)).findFirst();
          return own.isPresent()
              ? CompletableFuture.completedFuture(own)
              : peers.ask(PeerQuestion.Kind.FIND, name, id).thenApply(answers -> found(answers));
        });
  }

  private Optional<Row> found(Peers.Answers answers) {
    var found =
        answers.answers().values().stream()
            .filter(answer -> answer.status() == 200)
            .flatMap(answer -> Wire.page(local.table(), answer.text()).rows().stream())
            .findFirst();
    if (found.isEmpty() && !answers.unanswered().isEmpty()) {
      throw new ApiProblem(
          503,
          "not found, but these nodes did not answer: " + String.join(", ", answers.unanswered()),
          Peers.TIMEOUT);
    }
    return found;
  }
}
