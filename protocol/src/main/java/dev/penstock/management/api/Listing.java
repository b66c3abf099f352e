package dev.penstock.management.api;

import dev.penstock.management.api.Query.Page;
import dev.penstock.management.api.Table.Row;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/// The rows of one table, from wherever they are. Called on any thread, must not block.
public interface Listing {
  /// What is asked for; fails with an [ApiProblem].
  CompletionStage<Page> page(Query query);

  /// The row with an id; fails with an [ApiProblem].
  CompletionStage<Optional<Row>> find(String id);

  /// Rows that this node knows, made anew for each call.
  static Listing of(Supplier<List<Row>> rows) {
    return new Listing() {
      @Override
      public CompletionStage<Page> page(Query query) {
        return CompletableFuture.completedFuture(query.select(rows.get().stream()));
      }

      @Override
      public CompletionStage<Optional<Row>> find(String id) {
        return CompletableFuture.completedFuture(
            rows.get().stream().filter(row -> row.id().equals(id)).findFirst());
      }
    };
  }
}
