package dev.penstock.observe;

import dev.penstock.config.Kind;
import dev.penstock.config.Section;
import java.net.URI;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Whether connections are traced, and where their spans go.
///
/// @param endpoint `tracing.endpoint`: the collector, by OTLP over HTTP; null for no tracing, which
///   is the default
/// @param sampleRatio `tracing.sample_ratio`: the share of the connections that a gateway traces, 0
///   to 1; default 0.01. An agent traces what its gateway does
public record TracingSettings(@Nullable URI endpoint, double sampleRatio) {
  /// No tracing.
  public static final TracingSettings OFF = new TracingSettings(null, 0);

  public static TracingSettings of(Section section) {
    return new TracingSettings(
        section.find("endpoint", Kind.url(List.of("http", "https"))).orElse(null),
        section.get("sample_ratio", ratio(), 0.01));
  }

  private static Kind<Double> ratio() {
    return Kind.of("a number from 0 to 1, such as 0.01", 0.0, TracingSettings::ratio);
  }

  private static Optional<Double> ratio(String text) {
    return text.matches("[01]|0?\\.[0-9]{1,9}|1\\.0{1,9}")
        ? Optional.of(Double.valueOf(text))
        : Optional.empty();
  }

  /// Where spans are sent: the endpoint, with the usual path where it has none.
  String target() {
    String path = endpoint == null || endpoint.getPath() == null ? "" : endpoint.getPath();
    return path.isEmpty() || path.equals("/")
        ? String.valueOf(endpoint).replaceFirst("/?$", "/v1/traces")
        : String.valueOf(endpoint);
  }
}
