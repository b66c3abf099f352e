package dev.penstock.management.api;

import dev.penstock.config.OneLine;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/// A call that came to nothing, as it is told to the caller.
public final class ApiProblem extends RuntimeException {
  /// Characters of what was found that a problem shows.
  private static final int MAX_SHOWN = 60;

  private static final long serialVersionUID = 1;

  private final int status;
  private final Duration retryAfter;

  /// @param status of HTTP, from 400
  /// @param detail what was found and what was expected
  public ApiProblem(int status, String detail) {
    this(status, detail, Duration.ZERO);
  }

  /// @param retryAfter when it makes sense to ask again; zero when it does not
  public ApiProblem(int status, String detail, Duration retryAfter) {
    super(detail, null, false, false);
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /// That a parameter cannot be used.
  static ApiProblem parameter(String name, String found, String expected) {
    String shown = OneLine.of(found, MAX_SHOWN);
    return new ApiProblem(400, name + ": \"" + shown + "\" (expected: " + expected + ")");
  }

  public int status() {
    return status;
  }

  public String detail() {
    return String.valueOf(getMessage());
  }

  public Duration retryAfter() {
    return retryAfter;
  }

  /// As what an action or a list answers.
  public <T> CompletionStage<T> asStage() {
    return CompletableFuture.failedFuture(this);
  }
}
