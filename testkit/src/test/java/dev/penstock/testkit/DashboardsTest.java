package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.penstock.management.JvmMeters;
import dev.penstock.observe.MetricsPage;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What `deploy/grafana` and `deploy/prometheus` ask for is there: every metric and every label of
/// it is on `docs/metrics.md`, which the nodes' tests and a real scrape hold to be what is served,
/// or among those of the JVM.
class DashboardsTest {
  private static final Path DEPLOY = Path.of("..", "deploy");
  private static final ObjectMapper JSON = new ObjectMapper();

  /// Of every scrape, given by Prometheus.
  private static final Set<String> TARGET = Set.of("job", "instance");

  private static final Pattern NAME =
      Pattern.compile("\\b(?:penstock|pipeops|jvm|process|up)(?:[_:][a-z0-9_:]*)?\\b(?!\\s*\\()");
  private static final Pattern SELECTOR =
      Pattern.compile("([a-zA-Z_:][a-zA-Z0-9_:]*)\\{([^}]*)\\}");
  private static final Pattern LABEL =
      Pattern.compile("([a-zA-Z_]+)\\s*(?:=~|!~|!=|=)\"([^\"]*)\"");
  private static final Pattern GROUPING = Pattern.compile("\\b(?:by|on)\\s*\\(([^)]*)\\)");

  /// Every metric by name, with its labels and the values that they can have; no values is any.
  private static final Map<String, Map<String, Set<String>>> METRICS = new HashMap<>();

  @BeforeAll
  static void know() throws IOException {
    for (String section :
        List.of(
            "Gateway",
            "Leases",
            "Cluster",
            "Relay",
            "Work that waits at a gateway",
            "Agent",
            "Work that waits at an agent")) {
      List<MetricsPage.Series> all = MetricsPage.section(section);
      assertThat(all).as(section).isNotEmpty();
      for (MetricsPage.Series series : all) {
        var labels = new HashMap<String, Set<String>>();
        for (String label : series.labels()) {
          int at = label.indexOf('=');
          labels
              .computeIfAbsent(label.substring(0, at), _ -> new HashSet<>())
              .add(label.substring(at + 1));
        }
        add(series.name(), series.type().equals("histogram"), labels);
      }
    }
    var registry = new PrometheusRegistry();
    JvmMeters.register(registry);
    for (MetricSnapshot snapshot : registry.scrape()) {
      var labels = new HashMap<String, Set<String>>();
      snapshot
          .getDataPoints()
          .forEach(point -> point.getLabels().forEach(it -> labels.put(it.getName(), Set.of())));
      String name = snapshot.getMetadata().getPrometheusName();
      add(snapshot instanceof CounterSnapshot ? name + "_total" : name, true, labels);
    }
    METRICS.put("up", Map.of());
    for (JsonNode rule : rules()) {
      if (rule.has("record")) {
        var labels = new HashMap<String, Set<String>>();
        groupings(rule.get("expr").asText()).forEach(it -> labels.put(it, Set.of()));
        METRICS.put(rule.get("record").asText(), labels);
      }
    }
  }

  private static void add(String name, boolean parts, Map<String, Set<String>> labels) {
    METRICS.put(name, labels);
    if (parts) {
      var buckets = new HashMap<>(labels);
      buckets.put("le", Set.of());
      METRICS.put(name + "_bucket", buckets);
      METRICS.put(name + "_sum", labels);
      METRICS.put(name + "_count", labels);
    }
  }

  private static List<JsonNode> rules() throws IOException {
    var rules = new ArrayList<JsonNode>();
    new YAMLMapper()
        .readTree(DEPLOY.resolve("prometheus/penstock.rules.yml").toFile())
        .get("groups")
        .forEach(group -> group.get("rules").forEach(rules::add));
    return rules;
  }

  private static Set<String> groupings(String expression) {
    var labels = new TreeSet<String>();
    GROUPING
        .matcher(expression)
        .results()
        .flatMap(it -> Stream.of(it.group(1).split(",", -1)))
        .map(String::strip)
        .forEach(labels::add);
    return labels;
  }

  /// What is wrong with an expression, a line each.
  private static List<String> problems(String expression) {
    var problems = new ArrayList<String>();
    String bare = expression.replaceAll("\"[^\"]*\"", "\"\"");
    var known = new HashSet<>(TARGET);
    known.add("le");
    NAME.matcher(bare)
        .results()
        .map(MatchResult::group)
        .forEach(name -> {
          if (METRICS.containsKey(name)) {
            known.addAll(METRICS.get(name).keySet());
          } else {
            problems.add("no such metric: " + name);
          }
        });
    groupings(expression).stream()
        .filter(label -> !known.contains(label))
        .forEach(label -> problems.add("no such label: " + label));
    SELECTOR
        .matcher(expression)
        .results()
        .filter(it -> METRICS.containsKey(it.group(1)))
        .forEach(selector ->
            LABEL
                .matcher(selector.group(2))
                .results()
                .filter(label -> !TARGET.contains(label.group(1)))
                .forEach(label ->
                    check(
                        METRICS.get(selector.group(1)),
                        label.group(1),
                        label.group(2),
                        selector.group(1),
                        problems)));
    return problems;
  }

  private static void check(
      Map<String, Set<String>> labels,
      String label,
      String values,
      String metric,
      List<String> problems) {
    Set<String> possible = labels.get(label);
    if (possible == null) {
      problems.add("no such label: " + label + " of " + metric);
    } else if (!possible.isEmpty()) {
      for (String value : values.split("\\|", -1)) {
        if (!value.contains("*") && !possible.contains(value)) {
          problems.add("no such value: " + label + "=" + value + " of " + metric);
        }
      }
    }
  }

  private static JsonNode dashboard(String name) {
    try {
      return JSON.readTree(DEPLOY.resolve("grafana").resolve(name + ".json").toFile());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gateway-cluster", "agent", "tunnel"})
  void everyMetricAndLabelOfADashboardExists(String name) {
    JsonNode dashboard = dashboard(name);
    var problems = new ArrayList<String>();
    int queries = 0;
    for (JsonNode panel : dashboard.get("panels")) {
      for (JsonNode target : panel.path("targets")) {
        queries++;
        problems(target.get("expr").asText())
            .forEach(it -> problems.add(panel.get("title").asText() + ": " + it));
      }
    }
    assertThat(queries).isGreaterThan(10);
    assertThat(problems).isEmpty();
    for (JsonNode variable : dashboard.at("/templating/list")) {
      if (variable.get("type").asText().equals("query")) {
        assertThat(NAME.matcher(variable.get("definition").asText()).results())
            .allMatch(it -> METRICS.containsKey(it.group()));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gateway-cluster", "agent", "tunnel"})
  void everyPanelSaysWhatItShowsAndInWhichUnitAndNoTwoLieOnEachOther(String name) {
    JsonNode dashboard = dashboard(name);
    assertThat(dashboard.get("title").asText()).startsWith("Penstock / ");
    assertThat(dashboard.get("description").asText()).isNotBlank();
    var ids = new HashSet<Integer>();
    var places = new HashSet<List<Integer>>();
    for (JsonNode panel : dashboard.get("panels")) {
      String title = panel.get("title").asText();
      assertThat(ids.add(panel.get("id").asInt())).as(title).isTrue();
      JsonNode at = panel.get("gridPos");
      for (int x = at.get("x").asInt(); x < at.get("x").asInt() + at.get("w").asInt(); x++) {
        assertThat(x).as(title).isLessThan(24);
        for (int y = at.get("y").asInt(); y < at.get("y").asInt() + at.get("h").asInt(); y++) {
          assertThat(places.add(List.of(x, y))).as(title).isTrue();
        }
      }
      if (!panel.get("type").asText().equals("row")) {
        assertThat(panel.get("description").asText()).as(title).endsWith(".");
        assertThat(
                panel.at("/fieldConfig/defaults/unit").asText("")
                    + panel.at("/options/yAxis/unit").asText(""))
            .as(title)
            .isNotEmpty();
        assertThat(panel.at("/datasource/uid").asText()).isEqualTo("${datasource}");
      }
    }
  }

  @Test
  void everyMetricAndLabelOfTheRulesExists() throws IOException {
    var problems = new ArrayList<String>();
    for (JsonNode rule : rules()) {
      problems(rule.get("expr").asText())
          .forEach(it -> problems.add(rule.path("alert").asText() + ": " + it));
    }
    assertThat(problems).isEmpty();
  }

  @Test
  void theCheckItselfFindsWhatIsNotThere() {
    assertThat(problems("sum by (colour) (rate(penstock_gateway_link[5m]))"))
        .containsExactly("no such metric: penstock_gateway_link", "no such label: colour");
    assertThat(
            problems("penstock_gateway_clients_refused_total{reason=~\"no_link|bored\",job=\"x\"}"))
        .containsExactly("no such value: reason=bored of penstock_gateway_clients_refused_total");
    assertThat(problems("penstock_gateway_links{reason=\"lost\"}"))
        .containsExactly("no such label: reason of penstock_gateway_links");
  }

  @Test
  void everyAlertSaysHowUrgentItIsWhatHappenedAndWhatToDoAndIsTested() throws IOException {
    String tests = Files.readString(DEPLOY.resolve("prometheus/penstock.rules.test.yml"));
    for (JsonNode rule : rules()) {
      if (rule.has("alert")) {
        String name = rule.get("alert").asText();
        assertThat(rule.at("/labels/severity").asText()).as(name).isIn("page", "ticket");
        assertThat(rule.at("/annotations/summary").asText()).as(name).isNotBlank();
        assertThat(rule.at("/annotations/description").asText()).as(name).endsWith(".");
        assertThat(tests).contains("alertname: " + name);
      }
    }
  }

  @Test
  void prometheusTakesTheRulesAndTheyAlertWhenTheyShould() {
    String promtool = Programs.require("promtool");
    Path rules = DEPLOY.resolve("prometheus");
    Duration limit = Duration.ofMinutes(1);
    Programs.run(limit, rules, List.of(promtool, "check", "rules", "penstock.rules.yml"));
    Programs.run(limit, rules, List.of(promtool, "test", "rules", "penstock.rules.test.yml"));
  }
}
