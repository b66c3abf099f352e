package dev.penstock.management;

import dev.penstock.config.OneLine;
import dev.penstock.management.api.Problems;
import org.apache.pekko.event.LoggingAdapter;
import org.apache.pekko.http.ParsingErrorHandler;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.scaladsl.model.ErrorInfo;
import org.apache.pekko.http.scaladsl.model.StatusCode;
import org.apache.pekko.http.scaladsl.settings.ServerSettings;

/// Answers with a problem what never becomes a request: no HTTP, or more of it than is taken. The
/// HTTP server makes it by its name. Nothing is logged, because whoever reaches the port may send
/// such. Thread-safe.
public final class UnreadableRequests extends ParsingErrorHandler {
  private static final int MAX_DETAIL = 300;

  /// Called by the HTTP server alone.
  public UnreadableRequests() {}

  @Override
  public HttpResponse handle(
      StatusCode status, ErrorInfo error, LoggingAdapter log, ServerSettings settings) {
    String found = error.summary().isEmpty() ? status.reason() : error.summary();
    return Problems.response(status.intValue(), OneLine.of(found, MAX_DETAIL));
  }
}
