package dev.penstock.observe;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.Pattern;

/// What `docs/metrics.md` says about one program, so that tests can hold it against the code.
public final class MetricsPage {
  private static final Pattern ROW =
      Pattern.compile(
          "^\\| `([a-z_]+)` \\| (\\w+) \\| ([^|]*) \\| ([^|]*) \\|$", Pattern.MULTILINE);
  private static final Pattern CODE = Pattern.compile("`([^`]+)`");

  /// One series.
  ///
  /// @param labels every label with every value that it can have, such as `reason=lost`
  public record Series(String name, String type, List<String> labels, String meaning) {}

  private MetricsPage() {}

  /// The table below this heading; tests run in the directory of their module.
  public static List<Series> section(String heading) throws IOException {
    String page = Files.readString(Path.of("..", "docs", "metrics.md"));
    int start = page.indexOf("## " + heading + "\n");
    int end = page.indexOf("\n## ", start + 1);
    return ROW.matcher(page.substring(start, end < 0 ? page.length() : end))
        .results()
        .map(row -> new Series(row.group(1), row.group(2), labels(row.group(3)), row.group(4)))
        .toList();
  }

  /// `reason`: `a`, `b`.
  private static List<String> labels(String cell) {
    List<String> codes = CODE.matcher(cell).results().map(code -> code.group(1)).toList();
    return codes.stream().skip(1).map(value -> codes.getFirst() + "=" + value).sorted().toList();
  }

  /// What a registry serves, each label with the values that were used so far.
  public static List<Series> of(PrometheusRegistry registry) {
    return registry.scrape().stream().map(MetricsPage::series).toList();
  }

  private static Series series(MetricSnapshot snapshot) {
    String name = snapshot.getMetadata().getPrometheusName();
    String help = String.valueOf(snapshot.getMetadata().getHelp());
    var labels = new TreeSet<String>();
    snapshot
        .getDataPoints()
        .forEach(point ->
            point
                .getLabels()
                .forEach(label -> labels.add(label.getName() + "=" + label.getValue())));
    return switch (snapshot) {
      case CounterSnapshot _ -> new Series(name + "_total", "counter", List.copyOf(labels), help);
      case GaugeSnapshot _ -> new Series(name, "gauge", List.copyOf(labels), help);
      case HistogramSnapshot _ -> new Series(name, "histogram", List.copyOf(labels), help);
      default -> throw new IllegalArgumentException(name + ": a kind of series that no page has");
    };
  }
}
